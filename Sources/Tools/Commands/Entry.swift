// Everything a person types.
