internal import Failures
internal import Images
internal import NIOPosix
internal import OCI

/// Finds the images a build begins with or copies from, and fetches those that are not here.
struct BaseImages: Sendable {
    let images: ImageStore
    let pool: NIOThreadPool
    let puller: ImagePuller
    let request: BuildRequest
    let platform: Platform
    /// Images that stages begin with; the others are only copied from.
    let bases: Set<StageSelection.ImageNeed>
    let output: @Sendable (BuildEvent) -> Void

    func all(_ needs: Set<StageSelection.ImageNeed>) async throws -> [StageSelection.ImageNeed: BaseImage] {
        var found: [StageSelection.ImageNeed: BaseImage] = [:]
        for need in needs.sorted(by: { $0.reference < $1.reference }) {
            do {
                let image = try await find(need)
                found[need] = BaseImage(
                    reference: need.reference, id: image.id, chain: image.chainIDs.last, config: image.config)
            } catch let failure as Failure where !bases.contains(need) {
                throw Failure(
                    failure.kind, "invalid from flag value \(need.reference): \(failure.message)", cause: failure)
            }
        }
        return found
    }

    private func find(_ need: StageSelection.ImageNeed) async throws -> Image {
        let wanted = try need.platform.map { text throws(Failure) in try Platform(parsing: text) } ?? platform
        let isAsked = need.platform != nil || request.platform?.isEmpty == false
        var missing: Failure?
        if !request.pull {
            do throws(Failure) {
                let image = try images.resolve(need.reference)
                if !isAsked || wanted.matches(image.platform) {
                    try await check(image)
                    return image
                }
            } catch {
                guard error.kind == .notFound else { throw error }
                missing = error
            }
        }
        let reference = try Reference(parsing: need.reference)
        do throws(Failure) {
            return try await puller.pull(
                reference, platform: isAsked ? wanted : nil, credentials: credentials(for: reference),
                progress: { [output] event in
                    guard let status = event.status else { return }
                    output(
                        .pulling(status: status, id: event.id, current: event.bytes?.current, total: event.bytes?.total)
                    )
                }
            ).image
        } catch {
            // A name that no registry can have is only looked for here.
            if let missing, error.kind == .invalid { throw missing }
            throw error
        }
    }

    private func check(_ image: Image) async throws(Failure) {
        do { try await pool.runIfActive { [images] in try images.check(image) } } catch {
            throw Failure.wrapping(error, "look at image \(image.id)")
        }
    }

    private func credentials(for reference: Reference) -> Credentials? {
        for (server, login) in request.logins.sorted(by: { $0.key < $1.key }) {
            let credentials = Credentials(
                username: login.username, password: login.password, identityToken: login.identityToken ?? "",
                serverAddress: server)
            if credentials.belong(to: reference.domain) { return credentials }
        }
        return nil
    }
}
