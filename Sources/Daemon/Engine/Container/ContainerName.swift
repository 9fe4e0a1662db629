internal import Failures

/// The rule for names of containers and volumes, and where a name comes from when nobody gave one.
enum ContainerName {
    /// The name without Docker's slash, if it is one.
    ///
    /// - Throws: `invalid` with Docker's words.
    static func validated(_ text: String) throws(Failure) -> String {
        let name = text.hasPrefix("/") ? String(text.dropFirst()) : text
        guard isValid(name) else {
            throw Failure(
                .invalid, "Invalid container name (\(text)), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        }
        return name
    }

    /// `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, and short enough for a host name file.
    static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        guard bytes.count >= 2, bytes.count <= 255, let first = bytes.first, isAlphanumeric(first) else { return false }
        return bytes.allSatisfy {
            isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    /// An adjective and a surname of somebody who measured, sailed or reckoned, that is not taken yet.
    ///
    /// After a few tries a digit is put behind, so that it always ends.
    static func generated(using random: inout some RandomNumberGenerator, isTaken: (String) -> Bool) -> String {
        var attempt = 0
        while true {
            let adjective = adjectives.randomElement(using: &random) ?? "calm"
            let surname = surnames.randomElement(using: &random) ?? "curie"
            var name = adjective + "_" + surname
            if attempt >= 6 { name += String(Int.random(in: 0..<(10 << min(attempt, 30)), using: &random)) }
            if !isTaken(name) { return name }
            attempt += 1
        }
    }

    private static let adjectives = [
        "able", "agile", "airy", "alert", "amber", "apt", "balmy", "bold", "brave", "breezy", "bright", "brisk",
        "buoyant", "calm",
        "candid", "cheery", "clear", "clever", "coastal", "cosy", "crisp", "curious", "daring", "dapper", "deft",
        "eager", "earnest",
        "easy", "even", "fair", "fond", "frank", "free", "fresh", "gentle", "glad", "golden", "graceful", "hale",
        "handy", "hardy",
        "hearty", "honest", "hopeful", "humble", "jolly", "keen", "kind", "lively", "loyal", "lucid", "lucky", "mellow",
        "merry",
        "mild", "modest", "neat", "nimble", "noble", "patient", "placid", "plucky", "polite", "proud", "quick", "quiet",
        "ready",
        "robust", "sage", "salty", "serene", "sharp", "silent", "simple", "sincere", "smooth", "snug", "sober", "solid",
        "sound",
        "spry", "steady", "still", "stoic", "sturdy", "sunny", "sure", "swift", "tender", "thrifty", "tidy", "tranquil",
        "true",
        "trusty", "upbeat", "valiant", "vivid", "warm", "wise", "witty", "zesty",
    ]

    private static let surnames = [
        "abel", "agnesi", "airy", "allen", "ampere", "anning", "archimedes", "avogadro", "babbage", "banach", "bell",
        "bernoulli",
        "bessel", "bohr", "boole", "bose", "boyle", "brahe", "cannon", "cantor", "carson", "cauchy", "cavendish",
        "celsius",
        "chandrasekhar", "clarke", "conway", "cook", "copernicus", "cori", "coulomb", "cray", "curie", "dalton",
        "darwin", "descartes",
        "dijkstra", "dirac", "easley", "edison", "einstein", "elion", "engelbart", "eratosthenes", "euclid", "euler",
        "faraday",
        "fermat", "fermi", "feynman", "fibonacci", "fourier", "franklin", "galileo", "galois", "gauss", "germain",
        "goodall", "hamilton",
        "hawking", "heisenberg", "hertz", "herschel", "hilbert", "hodgkin", "hooke", "hopper", "hubble", "humboldt",
        "huygens",
        "hypatia", "jemison", "johnson", "joule", "kalam", "keldysh", "kelvin", "kepler", "khayyam", "knuth",
        "kovalevskaya",
        "lagrange", "lamarr", "laplace", "lavoisier", "leavitt", "leibniz", "linnaeus", "liskov", "lorentz", "lovelace",
        "magellan",
        "maxwell", "mccarthy", "mclean", "meitner", "mendel", "mendeleev", "mercator", "mirzakhani", "morse", "napier",
        "nansen",
        "newton", "nightingale", "nobel", "noether", "noyce", "ohm", "pascal", "pasteur", "payne", "perlman", "planck",
        "plimsoll",
        "poincare", "ptolemy", "pythagoras", "raman", "ramanujan", "ride", "riemann", "ritchie", "rubin", "rutherford",
        "sagan",
        "shackleton", "shannon", "slocum", "snell", "somerville", "sutherland", "swirles", "tereshkova", "tesla",
        "thompson", "torvalds",
        "turing", "vaughan", "volta", "watt", "wegener", "wiles", "wu", "yalow", "zhukovsky",
    ]
}
