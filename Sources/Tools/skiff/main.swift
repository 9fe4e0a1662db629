internal import Commands
