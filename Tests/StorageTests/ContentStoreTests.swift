import CLinux
import Failures
import Linux
import OCI
import Storage
import Testing

@Suite("ContentStore")
struct ContentStoreTests {
    let scratch: Scratch
    let store: ContentStore
    static let hello = Array("hello\n".utf8)
    /// By sha256sum and sha512sum.
    static let helloDigest = Digest(sha256: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")
    static let hello512 =
        "sha512:e7c22b994c59d9cf2b48e549b1e24666636045930d3da7c1acb299d1c3b7f931f94aae41edda2c2b207a36e10f8bcb8d45223e54878f5b316e7ce3b6bc019629"

    init() throws {
        scratch = try Scratch()
        store = try ContentStore(root: "\(scratch.path)/content")
    }

    @Test("bytes are found again under their digest")
    func keeps() throws {
        #expect(try store.put(Self.hello) == Self.helloDigest)
        #expect(try store.put(Self.hello) == Self.helloDigest)
        #expect(store.contains(Self.helloDigest))
        #expect(store.size(of: Self.helloDigest) == 6)
        #expect(try store.read(Self.helloDigest) == Self.hello)
        #expect(try store.all() == [Self.helloDigest])
        #expect(throws: Failure(.invalid, "")) { try store.read(Self.helloDigest, limit: 5) }
        try store.remove(Self.helloDigest)
        try store.remove(Self.helloDigest)
        #expect(!store.contains(Self.helloDigest))
        #expect(store.size(of: Self.helloDigest) == nil)
        #expect(throws: Failure(.notFound, "")) { try store.read(Self.helloDigest) }
    }

    @Test("a transfer that broke goes on where it stopped, in another process too")
    func resumes() throws {
        do {
            let ingest = try store.ingest(key: "layer ../../of somebody")
            #expect(ingest.offset == 0)
            try ingest.write(Array("hel".utf8))
        }
        let restarted = try ContentStore(root: "\(scratch.path)/content")
        let ingest = try restarted.ingest(key: "layer ../../of somebody")
        #expect(ingest.offset == 3)
        try ingest.write(Array("lo\n".utf8))
        #expect(try ingest.commit(expecting: Self.helloDigest, size: 6) == Self.helloDigest)
        #expect(try restarted.read(Self.helloDigest) == Self.hello)
        #expect(try scratch.names("content/ingest").isEmpty)
    }

    @Test("what is on its way can be read, and its digest asked for")
    func showsProgress() throws {
        let ingest = try store.ingest(key: "k")
        try ingest.write(Self.hello)
        #expect(ingest.digestSoFar == Self.helloDigest)
        let reader = try ingest.reader()
        _ = try ingest.commit()
        #expect(try readAll(reader.raw) == Self.hello)
    }

    @Test("only one writes under a key")
    func excludes() throws {
        let first = try store.ingest(key: "k")
        #expect(throws: Failure(.conflict, "")) { try store.ingest(key: "k") }
        first.discard()
        let second = try store.ingest(key: "k")
        try second.write(Self.hello)
        _ = try second.commit()
        _ = try store.ingest(key: "k")
    }

    @Test("what does not match is dropped and named")
    func refusesLies() throws {
        let wrong = try store.ingest(key: "k")
        try wrong.write(Array("hellO\n".utf8))
        do {
            _ = try wrong.commit(expecting: Self.helloDigest)
            Issue.record("a wrong digest was taken")
        } catch {
            #expect(error.kind == .invalid)
            #expect(error.message.contains(Self.helloDigest.description))
        }
        #expect(!store.contains(Self.helloDigest))
        let short = try store.ingest(key: "k")
        #expect(short.offset == 0)
        try short.write(Self.hello)
        #expect(throws: Failure(.invalid, "")) { try short.commit(expecting: Self.helloDigest, size: 7) }
        #expect(try scratch.names("content/ingest").isEmpty)
    }

    @Test("a transfer started again forgets what it had")
    func restarts() throws {
        let ingest = try store.ingest(key: "k")
        try ingest.write(Array("garbage".utf8))
        try ingest.restart()
        #expect(ingest.offset == 0)
        try ingest.write(Self.hello)
        #expect(try ingest.commit() == Self.helloDigest)
    }

    @Test("other registered digests are checked as well")
    func checksOthers() throws {
        let digest = try Digest(parsing: Self.hello512)
        let ingest = try store.ingest(key: "k")
        try ingest.write(Self.hello)
        #expect(try ingest.commit(expecting: digest) == digest)
        #expect(try store.read(digest) == Self.hello)
        let wrong = try store.ingest(key: "k")
        try wrong.write([1])
        #expect(throws: Failure(.invalid, "")) { try wrong.commit(expecting: digest) }
    }
}
