public import JSON
public import OCI

/// One thing that happened while an image was on its way, with the words Docker's clients know for it.
///
/// Clients read these: docker-java decides by the last status, docker-py by the words of a load, the CLI draws a bar
/// from `current` and `total`. (API: pull, push, load and import progress.)
public enum TransferProgress: Sendable, Hashable {
    /// A pull began: `Pulling from library/alpine`, with the tag or digest as id.
    case pulling(repository: String, tag: String)
    /// A layer went on; the id is the first 12 digits of its digest.
    case layer(id: String, stage: LayerStage)
    /// The digest that the reference stood for.
    case digest(Digest)
    case downloaded(Reference)
    case upToDate(Reference)
    /// A push began; the text is `docker.io/library/alpine`.
    case pushing(repository: String)
    /// A push ended: the last status line, then the same as data.
    case pushed(tag: String, digest: Digest, size: Int64)
    case pushedData(tag: String, digest: Digest, size: Int64)
    case loaded(Reference)
    case loadedDangling(Digest)
    case imported(Digest)

    /// Where one layer is.
    public enum LayerStage: Sendable, Hashable {
        case pullingLayer, waiting
        case downloading(current: Int64, total: Int64)
        case verifyingChecksum, downloadComplete
        case extracting(current: Int64, total: Int64)
        case pullComplete, alreadyExists
        case loading(current: Int64, total: Int64)
        case preparing
        /// A plain layer is packed before it goes out.
        case packing(current: Int64, total: Int64)
        case pushing(current: Int64, total: Int64)
        case pushed, layerAlreadyExists
        case mounted(from: String)
        /// A download stopped and begins again after so many seconds.
        case retrying(seconds: Int)
    }

    public var id: String? {
        switch self {
        case .pulling(_, let tag): tag
        case .layer(let id, _): id
        default: nil
        }
    }

    public var status: String? {
        switch self {
        case .pulling(let repository, _): "Pulling from \(repository)"
        case .layer(_, let stage): stage.status
        case .digest(let digest): "Digest: \(digest)"
        case .downloaded(let reference): "Status: Downloaded newer image for \(reference.familiar)"
        case .upToDate(let reference): "Status: Image is up to date for \(reference.familiar)"
        case .pushing(let repository): "The push refers to repository [\(repository)]"
        case .pushed(let tag, let digest, let size): "\(tag): digest: \(digest) size: \(size)"
        case .imported(let digest): digest.description
        case .pushedData, .loaded, .loadedDangling: nil
        }
    }

    /// What a load prints, with its newline.
    public var stream: String? {
        switch self {
        case .loaded(let reference): "Loaded image: \(reference.familiar)\n"
        case .loadedDangling(let digest): "Loaded image ID: \(digest)\n"
        default: nil
        }
    }

    /// Bytes done and bytes in all, of a layer that is moving.
    public var bytes: (current: Int64, total: Int64)? {
        guard case .layer(_, let stage) = self else { return nil }
        switch stage {
        case .downloading(let current, let total), .extracting(let current, let total),
            .loading(let current, let total), .packing(let current, let total),
            .pushing(let current, let total):
            return (current, total)
        default: return nil
        }
    }

    /// The `aux` object that ends a push.
    public var aux: JSON? {
        guard case .pushedData(let tag, let digest, let size) = self else { return nil }
        return ["Tag": .string(tag), "Digest": .string(digest.description), "Size": .integer(size)]
    }
}

extension TransferProgress.LayerStage {
    var status: String {
        switch self {
        case .pullingLayer: "Pulling fs layer"
        case .waiting: "Waiting"
        case .downloading: "Downloading"
        case .verifyingChecksum: "Verifying Checksum"
        case .downloadComplete: "Download complete"
        case .extracting: "Extracting"
        case .pullComplete: "Pull complete"
        case .alreadyExists: "Already exists"
        case .loading: "Loading layer"
        case .preparing: "Preparing"
        case .packing: "Compressing"
        case .pushing: "Pushing"
        case .pushed: "Pushed"
        case .layerAlreadyExists: "Layer already exists"
        case .mounted(let repository): "Mounted from \(repository)"
        case .retrying(let seconds): "Retrying in \(seconds) second\(seconds == 1 ? "" : "s")"
        }
    }
}

/// Takes progress as it happens; called from any thread, must not block.
public typealias ProgressSink = @Sendable (TransferProgress) -> Void
