internal import AsyncHTTPClient
public import Failures
public import NIOCore
internal import NIOHTTP1

/// Plain files over HTTP, for a build's ADD: no credentials ever go along.
extension Registries {
    /// How many redirects are followed, and how many bytes a file may have.
    private static let redirects = 10
    private static let limit: Int64 = 16 << 30

    /// Gets what an `http` or `https` address stands for.
    ///
    /// - Parameter receive: called with each piece in order; the next comes when it returns.
    /// - Returns: `Last-Modified` in seconds since 1970.
    /// - Throws: `notFound` or `unavailable` for an answer other than the file; `invalid` for an address that is none.
    public func download(
        _ address: String, receive: @escaping @Sendable (ByteBuffer) async throws -> Void
    ) async throws(Failure) -> Int64? {
        var url = address
        for _ in 0...Self.redirects {
            let response: HTTPClientResponse
            var request = HTTPClientRequest(url: url)
            request.headers.add(name: "User-Agent", value: "skiff")
            do { response = try await transport.client.execute(request, timeout: RegistryTransport.patience) } catch {
                throw Self.failure(error, url)
            }
            switch response.status.code {
            case 200:
                var size: Int64 = 0
                do {
                    for try await piece in response.body {
                        size += Int64(piece.readableBytes)
                        guard size <= Self.limit else {
                            throw Failure(.invalid, "\(url) is longer than \(Self.limit >> 30) GiB")
                        }
                        try await receive(piece)
                    }
                } catch { throw Self.failure(error, url) }
                return response.headers.first(name: "Last-Modified").flatMap(Self.seconds)
            case 301, 302, 303, 307, 308:
                guard let location = response.headers.first(name: "Location"),
                    let next = Self.resolve(location, from: url)
                else {
                    throw Failure(.unavailable, "cannot get \(url): it redirects to nowhere")
                }
                url = next
            case 404, 410:
                throw Failure(.notFound, "cannot get \(url): invalid response status \(response.status.code)")
            default: throw Failure(.unavailable, "cannot get \(url): invalid response status \(response.status.code)")
            }
        }
        throw Failure(.unavailable, "cannot get \(address): more than \(Self.redirects) redirects")
    }

    private static func failure(_ error: any Error, _ url: String) -> Failure {
        if let failure = error as? Failure { return failure }
        if error is CancellationError || (error as? HTTPClientError) == .cancelled { return .cancelled }
        let kind: Failure.Kind = (error as? HTTPClientError) == .invalidURL ? .invalid : .unavailable
        return Failure(kind, "cannot get \(url): \(error)", cause: error)
    }

    /// Where a redirect leads: only to `http` and `https`, and never from the second to the first.
    static func resolve(_ location: String, from url: String) -> String? {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let isSecure = url.hasPrefix("https://")
        if location.hasPrefix("https://") { return location }
        if location.hasPrefix("http://") { return isSecure ? nil : location }
        if location.hasPrefix("//") { return url[..<scheme.lowerBound] + ":" + location }
        let rest = url[scheme.upperBound...]
        let origin = url[..<(rest.firstIndex { "/?#".contains($0) } ?? url.endIndex)]
        if location.hasPrefix("/") { return origin + location }
        guard !location.contains(":") else { return nil }
        let path = url[origin.endIndex...].prefix { $0 != "?" && $0 != "#" }
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
        return origin + folder + location
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` in seconds since 1970.
    static func seconds(_ date: String) -> Int64? {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let parts = date.split(separator: " ")
        guard parts.count == 6, let day = Int64(parts[1]), let month = months.firstIndex(of: String(parts[2])),
            let year = Int64(parts[3])
        else { return nil }
        let clock = parts[4].split(separator: ":").compactMap { Int64($0) }
        guard clock.count == 3, (1...31).contains(day), (1970...9999).contains(year) else { return nil }
        // Days since 0000-03-01, so that a leap day is a year's last.
        let (shiftedYear, shiftedMonth) = month < 2 ? (year - 1, Int64(month) + 10) : (year, Int64(month) - 2)
        let days =
            shiftedYear * 365 + shiftedYear / 4 - shiftedYear / 100 + shiftedYear / 400 + (153 * shiftedMonth + 2) / 5
            + day - 1
        return (days - 719_468) * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }
}
