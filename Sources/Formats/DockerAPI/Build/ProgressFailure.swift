extension ProgressMessage {
    /// The line that ends a stream that failed.
    public init(failure message: String, code: Int? = nil) {
        self.init()
        var detail = ProgressError()
        detail.message = message
        detail.code = code
        errorDetail = detail
        error = message
    }
}
