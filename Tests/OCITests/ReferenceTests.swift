internal import Failures
internal import OCI
internal import Testing

@Suite("Reference")
struct ReferenceTests {
    static let hex = String(repeating: "0123456789abcdef", count: 4)

    @Test(
        "is normalised as Docker does it",
        arguments: [
            ("alpine", "docker.io/library/alpine", "alpine"),
            ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"),
            ("library/alpine", "docker.io/library/alpine", "alpine"),
            ("docker.io/alpine", "docker.io/library/alpine", "alpine"),
            ("index.docker.io/library/alpine", "docker.io/library/alpine", "alpine"),
            ("owner/thing", "docker.io/owner/thing", "owner/thing"),
            ("ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1"),
            ("localhost/x", "localhost/x", "localhost/x"), ("localhost:5000/x", "localhost:5000/x", "localhost:5000/x"),
            ("[::1]:5000/x/y:z", "[::1]:5000/x/y:z", "[::1]:5000/x/y:z"), ("Registry/x", "Registry/x", "Registry/x"),
            ("a__b/c--d.e_f", "docker.io/a__b/c--d.e_f", "a__b/c--d.e_f"),
            ("alpine@sha256:\(hex)", "docker.io/library/alpine@sha256:\(hex)", "alpine@sha256:\(hex)"),
            ("alpine:3@sha256:\(hex)", "docker.io/library/alpine:3@sha256:\(hex)", "alpine:3@sha256:\(hex)"),
            ("x:_tag.with-all_3", "docker.io/library/x:_tag.with-all_3", "x:_tag.with-all_3"),
        ])
    func normalisation(text: String, whole: String, familiar: String) throws {
        let reference = try Reference(parsing: text)
        #expect(reference.description == whole)
        #expect(reference.familiar == familiar)
        #expect(try Reference(parsing: whole) == reference)
        #expect(try Reference(parsing: familiar) == reference)
    }

    @Test(
        "refuses what the grammar does not know",
        arguments: [
            "", ":", "/", "a/", "/a", "a//b", "a:", "a:b:c", "-a", "a-", ".a", "a..b", "a___b", "a._b", "_a", "a b",
            "a\n",
            "UPPER", "host.io/Upper", "a:-tag", "a:.tag", "a@", "a@sha256:", "a@sha256:../../x", "a@md5:\(hex)",
            "a@sha256:\(hex.dropLast())", "a@sha256:\(hex.uppercased())", "a:\(String(repeating: "t", count: 129))",
            "host:port/x", "-host.io/x", "host..io/x", "[::1/x", "é", "a/../b", "http://x/y", hex,
            String(repeating: "a/", count: 200) + "a",
        ])
    func refusals(text: String) {
        #expect(throws: Failure(.invalid, "")) { try Reference(parsing: text) }
    }

    @Test("errors have the words that clients match")
    func words() {
        let bad = #expect(throws: Failure.self) { try Reference(parsing: "a b") }
        #expect(bad?.message == "invalid reference format")
        let upper = #expect(throws: Failure.self) { try Reference(parsing: "Alpine") }
        #expect(upper?.message == "invalid reference format: repository name (library/Alpine) must be lowercase")
    }

    @Test("tags and digests are put on and taken off")
    func changes() throws {
        let name = try Reference(parsing: "alpine")
        #expect(name.isNameOnly)
        #expect(name.withDefaultTag.tag == "latest")
        let digest = Digest(sha256: Self.hex)
        #expect(name.with(tag: "3").with(digest: digest).familiar == "alpine:3@sha256:\(Self.hex)")
        #expect(name.with(digest: digest).withDefaultTag.tag == nil)
        #expect(name.with(tag: "3").withoutTagOrDigest == name)
        #expect(throws: Failure.self) { try name.with(validating: "a/b") }
    }
}

@Suite("Digest")
struct DigestTests {
    @Test(
        "refuses all but the registered forms",
        arguments: [
            "", "sha256", "sha256:", ":abc", "sha256:xyz", "md5:d41d8cd98f00b204e9800998ecf8427e",
            "sha256:\(ReferenceTests.hex)0", "SHA256:\(ReferenceTests.hex)", "sha256:../../../../etc/passwd",
            "sha512:\(ReferenceTests.hex)", "sha256:\(ReferenceTests.hex)\n", " sha256:\(ReferenceTests.hex)",
        ])
    func refusals(text: String) {
        #expect(throws: Failure(.invalid, "")) { try Digest(parsing: text) }
    }

    @Test("is its text")
    func text() throws {
        let digest = try Digest(parsing: "sha256:\(ReferenceTests.hex)")
        #expect(digest.description == "sha256:\(ReferenceTests.hex)")
        #expect(digest.short == "0123456789ab")
        #expect(Digest(sha256: [UInt8](repeating: 0xAB, count: 32)).hex == String(repeating: "ab", count: 32))
        #expect(try Digest(parsing: "sha512:\(ReferenceTests.hex)\(ReferenceTests.hex)").algorithm == "sha512")
    }
}
