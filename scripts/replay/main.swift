// The replay from a Swift program: what its library's start adds.
@_silgen_name("skiff_arguments") func arguments() -> UnsafePointer<UnsafePointer<CChar>?>
@_silgen_name("skiff_own_mount") func ownMount() -> Int32
@_silgen_name("replay_words") func replay(_ words: UnsafePointer<UnsafePointer<CChar>?>, _ mount: Int32)

replay(arguments(), ownMount())
