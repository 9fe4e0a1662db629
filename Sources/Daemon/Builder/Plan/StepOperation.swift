internal import DockerfileSyntax
internal import OCI

/// What a vertex of a build does to a tree of files, all words expanded and all names found.
enum StepOperation: Hashable, Sendable {
    /// The empty tree.
    case scratch
    /// An image that is here.
    case image(BaseImage)
    case run(RunOperation)
    case copy(CopyOperation)
    /// A directory that is there afterwards, by its absolute path.
    case directory(String)
}

/// An image a stage begins with, or that is copied from.
struct BaseImage: Hashable, Sendable {
    /// As the Dockerfile names it.
    var reference: String
    /// The image's own digest.
    var id: Digest
    /// Its layers with all below them; `nil` for an image without layers.
    var chain: Digest?
    var config: ImageConfig
}

/// RUN: a process on a tree, whose changes are a layer.
struct RunOperation: Hashable, Sendable {
    var arguments: [String]
    var environment: [String]
    /// Proxies that were handed in: the process sees them, nobody else does, and another proxy is no other step.
    var hiddenEnvironment: [String] = []
    var workingDirectory: String
    var user: String
    var network: Instruction.Run.NetworkMode
    var mounts: [Mount] = []
    /// A here-document that is a program of its own, with its name.
    var script: Script?

    struct Script: Hashable, Sendable {
        var name: String
        var content: String
    }

    struct Mount: Hashable, Sendable {
        var kind: Instruction.Mount.Kind
        /// Absolute.
        var target: String
        var source: String
        /// Which of the vertex's inputs it comes from; `nil` is the context, or for a cache nothing.
        var input: Int?
        /// A cache's name.
        var id: String
        var readOnly: Bool
        var sharing: Instruction.Mount.Sharing
        var mode: UInt16
        var user: UInt32
        var group: UInt32
        var size: Int64?
    }
}

/// COPY and ADD.
struct CopyOperation: Hashable, Sendable {
    /// ADD: addresses are fetched, archives unpacked.
    var isAdd: Bool
    /// Paths and patterns in the source tree, or addresses.
    var sources: [String]
    /// Here-documents: names and contents.
    var documents: [RunOperation.Script] = []
    /// Absolute; a slash at the end says that it is a directory.
    var destination: String
    var owner: String?
    var mode: String?
    var parents = false
    var excludes: [String] = []
    var checksum: String?
    var unpack: Bool?
    /// The source is the vertex's second input; otherwise the context.
    var fromInput = false
    /// Why it fails, should it: `COPY failed`, `ADD failed`.
    var keyword: String { isAdd ? "ADD" : "COPY" }
}

extension StepOperation {
    /// A digest of all that makes the operation what it is, its inputs aside.
    var definition: Digest {
        switch self {
        case .scratch: return DefinitionDigest("scratch").finish()
        case .image(let image):
            var digest = DefinitionDigest("image")
            digest.add(image.chain?.description)
            return digest.finish()
        case .directory(let path):
            var digest = DefinitionDigest("directory.1")
            digest.add(path)
            return digest.finish()
        case .run(let run): return run.definition
        case .copy(let copy): return copy.definition
        }
    }
}

extension RunOperation {
    var definition: Digest {
        var digest = DefinitionDigest("run.1")
        digest.add(arguments)
        digest.add(environment)
        digest.add(workingDirectory)
        digest.add(user)
        digest.add(network.rawValue)
        digest.add(script?.name)
        digest.add(script?.content)
        digest.add(number: Int64(mounts.count))
        for mount in mounts {
            digest.add([mount.kind.rawValue, mount.target, mount.source, mount.id, mount.sharing.rawValue])
            digest.add(number: Int64(mount.input ?? -1))
            digest.add(mount.readOnly)
            for number in [Int64(mount.mode), Int64(mount.user), Int64(mount.group), mount.size ?? -1] {
                digest.add(number: number)
            }
        }
        return digest.finish()
    }

    /// The process as one line, for messages.
    var commandLine: String { arguments.joined(separator: " ") }
}

extension CopyOperation {
    var definition: Digest {
        var digest = DefinitionDigest("copy.1")
        digest.add(isAdd)
        digest.add(sources)
        digest.add(documents.map(\.name))
        digest.add(documents.map(\.content))
        digest.add(destination)
        digest.add(owner)
        digest.add(mode)
        digest.add(parents)
        digest.add(excludes)
        digest.add(checksum)
        digest.add(unpack.map { $0 ? "yes" : "no" })
        digest.add(fromInput)
        return digest.finish()
    }
}
