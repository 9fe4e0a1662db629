internal import Linux

/// What becomes of a question.
///
/// Pure: the server does what this says.
enum NameDecision: Equatable {
    case answer([UInt8])
    /// Somebody on the outside may know.
    case forward(DNSQuery)
    case ignore

    /// - Parameters:
    ///   - mayForward: whether questions may leave: never from internal networks alone, where a name would carry data out
    ///     (CVE-2024-29018).
    ///   - limit: how long an answer may be.
    static func decide(
        _ bytes: [UInt8], table: inout NameTable, networks: [String], mayForward: Bool, limit: Int
    ) -> NameDecision {
        let query: DNSQuery
        switch DNSQuery.read(bytes) {
        case .ignored: return .ignore
        case .refused(let id, let flags, let code): return .answer(DNSAnswer.refusal(id: id, flags: flags, code))
        case .query(let read): query = read
        }
        if query.dnsClass == DNSType.internet {
            if query.type == DNSType.ptr, let address = query.reversedAddress {
                if let name = table.name(of: address, on: networks) {
                    return .answer(DNSAnswer.pointer(name, to: query))
                }
            } else {
                let addresses = table.addresses(of: query.name, on: networks)
                if !addresses.isEmpty {
                    // A known name without a record of that type: "no data", so that nobody asks the outside for it.
                    let isAddress = query.type == DNSType.a || query.type == DNSType.any
                    return .answer(
                        isAddress
                            ? DNSAnswer.addresses(addresses, to: query, limit: limit) : DNSAnswer.empty(.ok, to: query))
                }
            }
        }
        return mayForward ? .forward(query) : .answer(DNSAnswer.empty(.serverFailure, to: query))
    }
}
