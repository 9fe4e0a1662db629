import CLinux
import CNFTables
import Linux

/// What a daemon has in the host's network, found by the names that only it uses: `Networking` derives them from the data
/// root in the same way.
struct HostNetworkNames: Sendable {
    let bridge: String
    let table: String
    let linkPrefix: String

    init(root: String) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in root.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let digits = Array("abcdefghijklmnopqrstuvwxyz234567")
        let tag = String((0..<8).map { digits[Int(hash >> UInt64(5 * $0) & 31)] })
        bridge = "skiff-\(tag)"
        table = "skiff_\(tag)"
        linkPrefix = "sk\(tag.prefix(5))"
    }

    /// The bridge and the host's ends of containers' interfaces.
    func links() throws -> [String] {
        let directory = try open("/sys/class/net", O_RDONLY | O_DIRECTORY)
        return try readDirectory(directory.raw).map(\.name.text).filter {
            $0 == bridge || $0.hasPrefix(linkPrefix)
        }
    }

    /// The daemon's table as nftables prints it; nil when there is none.
    func rules() throws -> String? {
        guard let context = nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else { return nil }
        defer { nft_ctx_free(context) }
        nft_ctx_buffer_error(context)
        nft_ctx_buffer_output(context)
        let outcome = nft_run_cmd_from_buffer(context, "list table ip \(table)")
        let text = nft_ctx_get_output_buffer(context).map { String(cString: $0) }
        return outcome == 0 ? text : nil
    }

    /// How many published ports lead to a container.
    func publishedPorts() throws -> Int {
        // `tcp . 8080 : 10.0.0.2 . 80`
        guard let rules = try rules() else { return 0 }
        return rules.split { ",{}\n".contains($0) }.count { element in
            element.contains(" : ") && element.split(separator: " ").first.map { ["tcp", "udp"].contains($0) } ?? false
        }
    }
}
