// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target is compiled with; `make build` adds `--explicit-target-dependency-import-check error`.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// What the modules of the small programs are compiled with: each function in a section of its own, for the linker to order,
/// with the records of generic structures and enumerations, which are otherwise made at every start, with types asked for by
/// a call and not by a name that has to be understood first, and without the libraries for tasks and regular expressions,
/// which are linked where a module merely could use them.
let small: [SwiftSetting] =
    strict + [
        .unsafeFlags(
            [
                "-Xfrontend", "-function-sections",
                "-Xfrontend", "-prespecialize-generic-metadata",
                "-Xfrontend", "-disable-concrete-type-metadata-mangled-name-accessors",
                "-Xfrontend", "-disable-implicit-string-processing-module-import",
                "-Xfrontend", "-disable-implicit-concurrency-module-import",
            ], .when(configuration: .release))
    ]

/// The programs that start in a millisecond and need nothing installed where they run.
let fullyStatic: [LinkerSetting] = [.unsafeFlags(["-static-executable"])]

/// The same, with the functions of an ordinary run side by side: the kernel maps sixteen pages around each that is touched.
///
/// `scripts/function-order` writes the list; names in it that are no more are passed over.
let staticAndOrdered: [LinkerSetting] =
    fullyStatic + [
        .unsafeFlags(
            [
                "-use-ld=lld", "-Xlinker",
                "--symbol-ordering-file=\(Context.packageDirectory)/Sources/Runtime/functions.order",
                "-Xlinker", "--no-warn-symbol-ordering",
            ], .when(configuration: .release))
    ]

/// The code of such a program where the kernel can map it by one page of 2 MiB: `CQuickStart/SealedStart.c`.
let alignedToHugePages: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-Xlinker", "-z", "-Xlinker", "separate-loadable-segments", "-Xlinker", "-z", "-Xlinker",
            "max-page-size=2097152",
        ],
        .when(configuration: .release))
]

/// How a program begins: with a function of `CQuickStart/SealedStart.c`, where that is written for the processor, and
/// without what `CQuickStart.c` stands in for.
func beginning(with entry: String) -> [LinkerSetting] {
    let search = ["swift_copyAuxiliaryExecutablePath", "_dl_get_origin"].flatMap { ["-Xlinker", "--wrap=\($0)"] }
    #if arch(x86_64) || arch(arm64)
        return [.unsafeFlags(["-Xlinker", "-e", "-Xlinker", entry] + search)]
    #else
        return [.unsafeFlags(search)]
    #endif
}

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")

let package = Package(
    name: "skiff",
    products: [
        .executable(name: "skiff", targets: ["skiff"]),
        .executable(name: "skiffd", targets: ["skiffd"]),
        .executable(name: "skiff-shim", targets: ["skiff-shim"]),
        .executable(name: "skiff-runtime", targets: ["skiff-runtime"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // MARK: Kernel: Linux as Swift sees it

        // The kernel and libc headers Swift cannot import by itself, and the wrappers glibc lacks.
        .target(name: "CLinux", path: "Sources/Kernel/CLinux", linkerSettings: [.linkedLibrary("seccomp")]),
        .systemLibrary(name: "CZlib", path: "Sources/Kernel/CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", path: "Sources/Kernel/CZstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CNFTables", path: "Sources/Kernel/CNFTables", providers: [.apt(["libnftables-dev"])]),
        // How a small static program begins: sealed, and without a search Swift's runtime makes at every start.
        .target(name: "CQuickStart", dependencies: ["CLinux"], path: "Sources/Kernel/CQuickStart"),
        // Every system call, with owned descriptors and errors that name the call.
        .target(name: "Linux", dependencies: ["CLinux"], path: "Sources/Kernel/Linux", swiftSettings: small),

        // MARK: Formats: documents and messages, no I/O of their own

        // The one error above the kernel layer: kind, message, cause.
        .target(name: "Failures", path: "Sources/Formats/Failures", swiftSettings: small),
        // A parser to a tree, a writer, and Codable over the tree.
        .target(name: "JSON", path: "Sources/Formats/JSON", swiftSettings: small),
        // The documents of the OCI image and runtime specifications.
        .target(name: "OCI", dependencies: ["Failures", "JSON"], path: "Sources/Formats/OCI", swiftSettings: small),
        // Tar streams and their compression, and a layer's whiteouts.
        .target(
            name: "Archive", dependencies: ["CLinux", "CZlib", "CZstd", "Failures", "Linux"],
            path: "Sources/Formats/Archive",
            exclude: ["README.md"], swiftSettings: small),
        // Dockerfiles and ignore files: text to instructions and patterns.
        .target(
            name: "DockerfileSyntax", dependencies: ["JSON"], path: "Sources/Formats/DockerfileSyntax",
            exclude: ["README.md"], swiftSettings: strict),
        // D-Bus as bytes: values, messages, GLib's text of a value.
        .target(name: "DBus", path: "Sources/Formats/DBus", exclude: ["README.md"], swiftSettings: small),
        // What daemon and shim say to each other.
        .target(
            name: "ShimProtocol", dependencies: ["CLinux", "JSON", "Linux", "OCI"],
            path: "Sources/Formats/ShimProtocol",
            exclude: ["README.md"], swiftSettings: small),
        // The Docker Engine API's wire types.
        .target(
            name: "DockerAPI", dependencies: ["JSON", "OCI"], path: "Sources/Formats/DockerAPI", exclude: ["README.md"],
            swiftSettings: strict),

        // MARK: Runtime: one container

        // Makes, enters and ends one container.
        .target(
            name: "ContainerRuntime", dependencies: ["CLinux", "DBus", "JSON", "Linux", "OCI"],
            path: "Sources/Runtime/ContainerRuntime", swiftSettings: small),
        // The OCI runtime command line.
        .executableTarget(
            name: "skiff-runtime", dependencies: ["CLinux", "CQuickStart", "ContainerRuntime", "JSON", "Linux", "OCI"],
            path: "Sources/Runtime/skiff-runtime", swiftSettings: small,
            linkerSettings: staticAndOrdered + alignedToHugePages + beginning(with: "skiff_start_verb")),
        // The supervisor that stays with a container when the daemon goes.
        .executableTarget(
            name: "skiff-shim",
            dependencies: [
                "Archive", "CLinux", "CQuickStart", "ContainerRuntime", "Failures", "JSON", "Linux", "OCI",
                "ShimProtocol",
            ],
            path: "Sources/Runtime/skiff-shim", exclude: ["README.md"], swiftSettings: small,
            linkerSettings: staticAndOrdered + beginning(with: "skiff_start_sealed")),

        // MARK: Daemon: many containers

        // Blobs, snapshots and the one database.
        .target(
            name: "Storage",
            dependencies: [
                "CLinux", "Failures", "Linux", "OCI", crypto, .product(name: "GRDB", package: "GRDB.swift"),
            ],
            path: "Sources/Daemon/Storage", exclude: ["README.md"], swiftSettings: strict),
        // Images, and how they come and go: registries and archives.
        .target(
            name: "Images",
            dependencies: [
                "Archive", "CLinux", "Failures", "JSON", "Linux", "OCI", "Storage", crypto, logging, nioCore, nioPosix,
                nioHTTP1,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/Daemon/Images", swiftSettings: strict),
        // Bridges, endpoints, published ports, names.
        .target(
            name: "Networking",
            dependencies: ["CLinux", "CNFTables", "Failures", "JSON", "Linux", "Storage", logging, nioCore, nioPosix],
            path: "Sources/Daemon/Networking", swiftSettings: strict),
        // Shims started, spoken to and found again.
        .target(
            name: "Execution",
            dependencies: [
                "CLinux", "Failures", "JSON", "Linux", "OCI", "ShimProtocol", crypto, logging, nioCore, nioPosix,
            ],
            path: "Sources/Daemon/Execution", exclude: ["README.md"], swiftSettings: strict),
        // What Docker calls a container, an exec, a volume, an event.
        .target(
            name: "Engine",
            dependencies: [
                "Archive", "CLinux", "Execution", "Failures", "Images", "JSON", "Linux", "Networking", "OCI", "Storage",
                logging, nioCore, nioPosix,
            ],
            path: "Sources/Daemon/Engine", exclude: ["README.md"], swiftSettings: strict),
        // Dockerfiles to images: instructions, graph, solver.
        .target(
            name: "Builder",
            dependencies: [
                "Archive", "CLinux", "DockerfileSyntax", "Execution", "Failures", "Images", "JSON", "Linux",
                "Networking", "OCI", "Storage",
                crypto, logging, nioCore,
                nioPosix,
            ],
            path: "Sources/Daemon/Builder", exclude: ["README.md"], swiftSettings: strict),
        // HTTP/1.1 whose connections may be taken over: the transport of the Docker Engine API.
        .target(
            name: "HTTPServer", dependencies: [logging, nioCore, nioPosix, nioHTTP1], path: "Sources/Daemon/HTTPServer",
            exclude: ["README.md"],
            swiftSettings: strict),
        // The Docker Engine API.
        .target(
            name: "APIServer",
            dependencies: [
                "Builder", "DockerAPI", "Engine", "Failures", "HTTPServer", "Images", "JSON", "Linux", "Networking",
                "OCI", logging, nioCore,
                nioPosix, nioHTTP1,
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Daemon/APIServer", exclude: ["README.md"], swiftSettings: strict),
        // The composition root.
        .executableTarget(
            name: "skiffd",
            dependencies: [
                "APIServer", "Builder", "CLinux", "Engine", "Execution", "Failures", "HTTPServer", "Images", "JSON",
                "Linux", "Networking", "OCI",
                "Storage", logging, nioCore, nioPosix,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Daemon/skiffd", exclude: ["README.md"], swiftSettings: strict),

        // MARK: Tools: what people type

        // HTTP/1.1 to an engine over a local or TCP socket: documents, streams both ways, hijacked connections. Blocking, no event loop.
        .target(
            name: "EngineClient", dependencies: ["CLinux", "DockerAPI", "Failures", "JSON", "Linux"],
            path: "Sources/Tools/EngineClient",
            exclude: ["README.md"], swiftSettings: strict),
        // Everything a person types: verbs, options, tables, templates, progress.
        .target(
            name: "Commands",
            dependencies: [
                "Archive", "CLinux", "DockerAPI", "DockerfileSyntax", "EngineClient", "Failures", "JSON", "Linux",
                "OCI",
            ],
            path: "Sources/Tools/Commands", exclude: ["README.md"], swiftSettings: strict),
        // The command line itself: one call into Commands.
        .executableTarget(
            name: "skiff", dependencies: ["Commands"], path: "Sources/Tools/skiff", swiftSettings: strict,
            linkerSettings: fullyStatic),

        // MARK: Tests

        // Whole programs against a private daemon, by Skiff's and Docker's own command lines.
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["Archive", "CLinux", "CNFTables", "FakeRegistry", "JSON", "Linux", "OCI", nioHTTP1],
            swiftSettings: strict),
        // A registry that lies, breaks and dawdles as a test wants it, and images made of bytes in memory.
        .target(
            name: "FakeRegistry",
            dependencies: ["Archive", "JSON", "OCI", crypto, nioCore, nioHTTP1, nioPosix], path: "Tests/FakeRegistry",
            swiftSettings: strict),
        .testTarget(
            name: "ContainerRuntimeTests",
            dependencies: ["CLinux", "ContainerRuntime", "DBus", "JSON", "Linux", "Mutation", "OCI"],
            exclude: ["corpus"],
            swiftSettings: strict),
        .testTarget(name: "DBusTests", dependencies: ["DBus", "Mutation"], swiftSettings: strict),
        .testTarget(
            name: "ImagesTests",
            dependencies: [
                "Archive", "CLinux", "FakeRegistry", "Failures", "Images", "JSON", "Linux", "OCI", "Storage", logging,
                nioCore, nioPosix, nioHTTP1,
            ], swiftSettings: strict),
        .testTarget(
            name: "NetworkingTests",
            dependencies: ["Failures", "JSON", "Linux", "Networking", logging, nioCore, nioPosix],
            swiftSettings: strict),
        .testTarget(
            name: "ArchiveTests", dependencies: ["Archive", "CLinux", "Failures", "Linux"], swiftSettings: strict),
        .testTarget(
            name: "StorageTests", dependencies: ["CLinux", "Failures", "Linux", "OCI", "Storage"], swiftSettings: strict
        ),
        .testTarget(
            name: "BuilderTests",
            dependencies: [
                "Archive", "Builder", "CLinux", "DockerfileSyntax", "Execution", "Failures", "FakeRegistry", "Images",
                "JSON", "Linux",
                "Networking", "OCI", "Storage", logging,
                nioCore, nioHTTP1, nioPosix,
            ],
            swiftSettings: strict),
        // Inputs that are almost right, for the tests of everything that reads what others wrote.
        .target(name: "Mutation", dependencies: ["CLinux", "Linux"], path: "Tests/Mutation", swiftSettings: strict),
        .testTarget(
            name: "DockerfileSyntaxTests", dependencies: ["DockerfileSyntax", "JSON"], swiftSettings: strict),
        .testTarget(
            name: "JSONTests", dependencies: ["JSON", "Mutation"], exclude: ["corpus"], swiftSettings: strict),
        .testTarget(
            name: "ShimProtocolTests", dependencies: ["JSON", "Linux", "Mutation", "OCI", "ShimProtocol"],
            exclude: ["corpus"], swiftSettings: strict),
        .testTarget(
            name: "ExecutionTests",
            dependencies: [
                "Archive", "CLinux", "ContainerRuntime", "Execution", "Failures", "JSON", "Linux", "Mutation", "OCI",
                "ShimProtocol", logging,
                nioPosix,
            ], swiftSettings: strict),
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "Archive", "CLinux", "Engine", "Execution", "Failures", "JSON", "Linux", "Networking", "OCI", "Storage",
                nioPosix,
            ], swiftSettings: strict),
        .testTarget(
            name: "OCITests", dependencies: ["Failures", "JSON", "Mutation", "OCI"], exclude: ["corpus"],
            swiftSettings: strict),
        // An engine as a test wants it, behind a local socket.
        .target(
            name: "FakeEngine", dependencies: ["CLinux", "EngineClient", "Linux"], path: "Tests/FakeEngine",
            swiftSettings: strict),
        .testTarget(
            name: "EngineClientTests",
            dependencies: ["CLinux", "EngineClient", "Failures", "FakeEngine", "JSON", "Linux"], swiftSettings: strict),
        .testTarget(
            name: "CommandsTests",
            dependencies: [
                "Archive", "CLinux", "Commands", "DockerAPI", "EngineClient", "Failures", "FakeEngine", "JSON", "Linux",
            ], swiftSettings: strict),

        .testTarget(
            name: "HTTPServerTests",
            dependencies: [
                "HTTPServer", logging, nioCore, nioPosix, nioHTTP1,
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(name: "DockerAPITests", dependencies: ["DockerAPI", "JSON"], swiftSettings: strict),
        .testTarget(
            name: "APIServerTests",
            dependencies: [
                "APIServer", "Builder", "CLinux", "DockerAPI", "Engine", "Failures", "HTTPServer", "Images", "JSON",
                "Linux", "OCI", logging, nioCore, nioHTTP1, nioPosix,
            ],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
