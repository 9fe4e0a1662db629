internal import CNFTables
internal import Failures
internal import Linux

/// A conversation with nf_tables through libnftables, in the network namespace of the thread that opened it.
///
/// One call is one transaction: all of a script or none of it. Not to be used by two threads at a time.
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
    ///
    /// C function: `nft_run_cmd_from_buffer`.
    func run(_ script: String) throws(Failure) {
        guard !script.isEmpty else { return }
        let outcome = nft_run_cmd_from_buffer(context, script)
        // Reading a buffer empties it for the next call.
        _ = nft_ctx_get_output_buffer(context)
        let words = nft_ctx_get_error_buffer(context).map { String(cString: $0) } ?? ""
        guard outcome == 0 else {
            let first = words.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no reason given"
            throw Failure(.internal, "nftables refused the rules: \(first)")
        }
    }
}
