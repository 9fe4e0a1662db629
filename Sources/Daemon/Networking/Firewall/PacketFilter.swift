internal import CNFTables
internal import Failures
internal import JSON
internal import Linux

/// A conversation with nf_tables through libnftables, in the network namespace of the thread that opened it.
///
/// One call of `run` is one transaction: all of a script or none of it. Not to be used by two threads at a time.
struct PacketFilter: ~Copyable {
    private let context: OpaquePointer

    init() throws(Failure) {
        // nft_ctx_new ends the process when it cannot open a socket, so that is tried first.
        do { _ = try NetlinkSocket(family: NetlinkSocket.netfilter) } catch {
            throw Failure(.unavailable, "the kernel has no nf_tables: \(error)", cause: error)
        }
        guard let context = nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else {
            throw Failure(.unavailable, "nftables: no memory for a context")
        }
        self.context = context
        nft_ctx_buffer_error(context)
        nft_ctx_buffer_output(context)
    }

    deinit { nft_ctx_free(context) }

    /// Runs a script.
    func run(_ script: String) throws(Failure) {
        guard !script.isEmpty else { return }
        let (outcome, _, words) = execute(script)
        if outcome != 0 { throw Failure(.internal, "nftables refused the rules: \(Self.reason(words))") }
    }

    /// Runs a `list` command: its answer as `libnftables-json(5)` has it, nil for a thing that is not there.
    func list(_ command: String) throws(Failure) -> JSON? {
        nft_ctx_output_set_flags(context, UInt32(NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE))
        defer { nft_ctx_output_set_flags(context, 0) }
        let (outcome, text, words) = execute(command)
        guard outcome == 0 else {
            // All that the library tells of ENOENT.
            if words.contains("No such file or directory") { return nil }
            throw Failure(.internal, "nftables does not list its rules: \(Self.reason(words))")
        }
        do throws(JSON.ParseError) {
            // Some versions put a warning before it.
            return try JSON.parse(String(text.drop { $0 != "{" }))
        } catch {
            throw Failure(.internal, "nftables lists its rules in words that are no JSON: \(error)", cause: error)
        }
    }

    /// C function: `nft_run_cmd_from_buffer`.
    private func execute(_ script: String) -> (outcome: Int32, output: String, words: String) {
        let outcome = nft_run_cmd_from_buffer(context, script)
        // Reading a buffer empties it for the next call.
        let output = nft_ctx_get_output_buffer(context).map { String(cString: $0) } ?? ""
        let words = nft_ctx_get_error_buffer(context).map { String(cString: $0) } ?? ""
        return (outcome, output, words)
    }

    private static func reason(_ words: String) -> String {
        words.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no reason given"
    }
}
