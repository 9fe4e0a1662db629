import CLinux
import Linux
import Testing

/// `kill -9` of the daemon at random moments of what it does: the next start repairs or collects, whatever was half-made.
///
/// The moments come from a seed that a failure prints; `SKIFF_CRASH_SEED` sets it, `SKIFF_CRASH_ROUNDS` how often each verb
/// is cut short.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct CrashTests {
    @Test(arguments: CrashVerb.all) func aKilledDaemonComesBackWhole(_ verb: CrashVerb) async throws {
        var dice = SeededGenerator(CrashDice.seed, verb.name)
        try await PrivateDaemon.with { daemon in
            try await verb.around(daemon) {
                // Once unharmed, to know how long it takes.
                let unharmed = CrashRound(number: 0, daemon: daemon)
                try await verb.prepare(unharmed)
                let start = Program.monotonicMilliseconds()
                let arguments = try verb.arguments(unharmed)
                let whole = try await daemon.skiff(arguments)
                let duration = Program.monotonicMilliseconds() - start
                #expect(whole.code == 0, "\(verb.name) unharmed: \(whole.errors)")
                try await verb.finish(unharmed)
                try await Inventory(daemon: daemon).check("\(verb.name) unharmed")

                for number in 1...max(1, CrashDice.rounds) {
                    let round = CrashRound(number: number, daemon: daemon)
                    let moment = Int.random(in: 0...duration + duration / 10, using: &dice)
                    let context =
                        "\(verb.name), round \(number), killed after \(moment) of \(duration) ms, SKIFF_CRASH_SEED=\(CrashDice.seed)"
                    do { try await cutShort(verb, round, after: moment, context) } catch {
                        Issue.record("\(context): \(error)")
                        throw error
                    }
                }
            }
        }
    }

    private func cutShort(_ verb: CrashVerb, _ round: CrashRound, after moment: Int, _ context: String) async throws {
        let daemon = round.daemon
        try await verb.prepare(round)
        let arguments = try verb.arguments(round)
        async let client = daemon.skiff(arguments)
        try await pause(milliseconds: moment)
        try await daemon.stop(SIGKILL)
        let finished = try await client
        try await daemon.start()
        try await Inventory(daemon: daemon).check(isResumable: true, context)
        if finished.code == 0, let proof = verb.proof {
            let proven = try await proof(round)
            #expect(proven, "\(context): it was said to be done and is not")
        }
        try await verb.finish(round)
        if round.number == CrashDice.rounds { try await Inventory(daemon: daemon).check(context + ", and done again") }
    }
}
