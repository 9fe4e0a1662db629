import CLinux
import Failures
import Linux
import OCI
import Storage

/// A directory that goes when the test does.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/skiff-storage-XXXXXX".utf8CString)
        try check("mkdtemp") { mkdtemp(&template) == nil ? -1 : 0 }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? removeTree(path) }

    func names(_ directory: String) throws -> [String] {
        let opened = try open("\(path)/\(directory)", O_RDONLY | O_DIRECTORY)
        return try readDirectory(opened.raw).map(\.name.text).sorted()
    }
}

/// The three stores over one directory, as the daemon opens them; opened again they are what a restart sees.
struct Stores {
    let metadata: MetadataStore
    let content: ContentStore
    let snapshots: OverlaySnapshotter
    let collector: GarbageCollector

    init(_ scratch: Scratch) throws {
        metadata = try MetadataStore(path: "\(scratch.path)/skiff.db")
        content = try ContentStore(root: "\(scratch.path)/content")
        snapshots = try OverlaySnapshotter(root: "\(scratch.path)/snapshots", metadata: metadata)
        collector = GarbageCollector(metadata: metadata, content: content, snapshots: snapshots)
    }

    /// A layer with one file in it.
    func layer(_ key: String, on parent: String?, _ file: String, _ text: String) throws {
        let draft = try snapshots.prepareLayer(parent: parent)
        try writeFile(file, Array(text.utf8), at: draft.directory.raw)
        try draft.commit(as: key)
    }
}

extension BlobIngest {
    func write(_ bytes: [UInt8]) throws(Failure) {
        let outcome: Result<Void, Failure> = bytes.withUnsafeBytes { buffer in
            do throws(Failure) { return .success(try write(buffer)) } catch { return .failure(error) }
        }
        try outcome.get()
    }
}

func image(_ digest: Digest, blobs: [Digest] = [], layers: [String] = []) -> ImageRow {
    ImageRow(id: digest, blobs: [digest] + blobs, layers: layers, created: 1, document: Array("{}".utf8))
}
