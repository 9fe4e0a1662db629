internal import ContainerRuntime
internal import JSON
internal import Linux

/// Reads a JSON document from where the caller said it is (`-` is standard input); an error names the place.
func readDocument(_ path: String) throws -> JSON { try readDocumentWithText(path).document }

/// The same, with the text as it was given.
func readDocumentWithText(_ path: String) throws -> (document: JSON, text: [UInt8]) {
    let bytes = path == "-" ? try readAll(0) : try readFile(path)
    do { return (try JSON.parse(bytes), bytes) } catch { throw RuntimeFailure(.specification, "\(path): \(error)") }
}

/// A container's document, and its text as it was given.
///
/// - Parameter begin: what can be begun by the text alone, before it is understood.
func readRuntimeDocument(
    _ path: String, begin: ([UInt8]) -> Void = { _ in }
) throws -> (document: RuntimeDocument, text: [UInt8]) {
    let bytes = path == "-" ? try readAll(0) : try readFile(path)
    begin(bytes)
    do { return (try RuntimeDocument(bytes), bytes) } catch let error as JSON.ParseError {
        throw RuntimeFailure(.specification, "\(path): \(error)")
    }
}
