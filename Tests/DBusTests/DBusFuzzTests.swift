import DBus
import Mutation
import Testing

/// Anybody may sit behind a socket's name, and anybody on a bus may send to us.
@Suite struct DBusFuzzTests {
    @Test(.timeLimit(.minutes(10))) func fuzzedMessagesAreReadWholeOrRefused() throws {
        let words = ["\u{1}v\u{0}", "\u{1}a", "a{sv}", "((((", "/", "l\u{1}\u{0}\u{1}", "B\u{4}\u{0}\u{1}"]
        try Mutator(corpus: MessageTests.messages.map(\.bytes), words: words).run("dbus") { bytes in
            do {
                if let length = try DBusMessage.length(of: Array(bytes.prefix(16))) {
                    #expect(length <= DBusMessage.largest)
                }
                let message = try DBusMessage(bytes)
                // What was understood can be said again, in our own order of bytes.
                let again = try DBusMessage(message.bytes)
                #expect("\(again)" == "\(message)")
            } catch is DBusFault {}
        }
    }

    @Test(.timeLimit(.minutes(10))) func fuzzedTextsAreValuesOrRefused() throws {
        let corpus = ["['a', 'b']", "uint64 5000000", "@a(ss) [('/dev/null', 'rw')]", "<(true, 1.5, byte 3)>"]
        try Mutator(corpus: corpus.map { Array($0.utf8) }, words: ["@", "as", "[", "(", "<", "'", "int16 "]).run(
            "variant"
        ) {
            _ = try? VariantText.value(String(decoding: $0, as: UTF8.self))
        }
    }
}
