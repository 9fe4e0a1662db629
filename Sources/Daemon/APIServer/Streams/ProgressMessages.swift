internal import Builder
internal import DockerAPI
internal import Failures
internal import HTTPServer
internal import Images

extension ProgressMessage {
    /// A failure as the line that ends a stream.
    init(failure error: any Error) {
        let code = (error as? StepFailure).map { Int($0.code) }
        self.init(failure: Reply.described(error).1, code: code)
    }

    /// A step of an image's way.
    init(_ progress: TransferProgress) {
        self.init()
        status = progress.status
        id = progress.id
        stream = progress.stream
        aux = progress.aux
        if let (current, total) = progress.bytes {
            var detail = ProgressDetail()
            detail.current = current
            detail.total = total > 0 ? total : nil
            progressDetail = detail
        } else if progress.aux != nil || isLayer(progress) {
            progressDetail = ProgressDetail()
        }
    }

    private func isLayer(_ progress: TransferProgress) -> Bool {
        if case .layer = progress { return true }
        return false
    }

    /// A line of a build, or nil for what only a richer client would show.
    init?(_ event: BuildEvent) {
        self.init()
        switch event {
        case .pulling(let text, let id, let current, let total):
            status = text
            self.id = id
            var detail = ProgressDetail()
            detail.current = current
            detail.total = total
            progressDetail = detail
        default:
            guard let text = event.classicText else { return nil }
            stream = text
        }
    }
}

extension TransferProgress {
    /// Whether the next line of the same layer makes this one superfluous.
    var isCounter: Bool { bytes.map { $0.current < $0.total } ?? false }
}
