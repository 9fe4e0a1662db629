internal import CLinux
internal import Execution
public import Failures
internal import Linux

/// What runs in a container, read from the host's procfs: nothing of the container's is executed (CVE-2022-1227).
public final class ProcessLister: Sendable {
    private let containers: ContainerService

    public init(containers: ContainerService) { self.containers = containers }

    /// The container's processes as `ps` would show them, ids as the host numbers them.
    ///
    /// - Parameter format: `ps` arguments: `-ef` (also when empty), `aux`, or `-o name,…`.
    /// - Throws: `conflict` when it does not run; `invalid` for arguments that are not understood.
    public func top(_ reference: String, format: [String] = []) async throws(Failure) -> ProcessTable {
        let container = try containers.index.resolve(reference)
        let columns = try ProcessColumn.columns(format)
        guard let task = container.withLock({ $0.task }) else {
            throw Failure(.conflict, "container \(container.id) is not running")
        }
        let pids = try await task.processes()
        return try await containers.pool.blocking { () throws(Failure) in
            let host = HostFacts()
            let processes = pids.sorted().compactMap { ProcessFacts(pid: $0, host: host) }
            return ProcessTable(
                titles: columns.map(\.title), rows: processes.map { process in columns.map { $0.value(process, host) } }
            )
        }
    }
}

/// A column of `ps`.
enum ProcessColumn: String, Sendable, Hashable {
    case user, uid, pid, ppid, c, stime, tty, time, cmd, pcpu, pmem, vsz, rss, stat, comm, args, etime, ni, nlwp, pgid
    /// The owner's name under the title that `ps -f` gives it, and the beginning as `ps u` calls it.
    case owner = "UID"
    case begun = "START"

    /// The columns that `ps` arguments ask for.
    static func columns(_ arguments: [String]) throws(Failure) -> [ProcessColumn] {
        let words = arguments.flatMap { $0.split(separator: " ").map(String.init) }
        let joined = words.joined(separator: " ")
        switch joined {
        case "", "-ef", "ef", "-e -f", "-f -e": return [.owner, .pid, .ppid, .c, .stime, .tty, .time, .cmd]
        case "aux", "-aux", "au", "axu":
            return [.user, .pid, .pcpu, .pmem, .vsz, .rss, .tty, .stat, .begun, .time, .args]
        default: break
        }
        var columns: [ProcessColumn] = []
        var rest = words.makeIterator()
        while let word = rest.next() {
            let list: String?
            if word == "-o" || word == "o" || word == "-eo" || word == "-axo" {
                list = rest.next()
            } else if word.hasPrefix("-o") {
                list = String(word.dropFirst(2))
            } else if word == "-e" || word == "-A" || word == "ax" {
                continue
            } else {
                list = nil
            }
            guard let list else {
                throw Failure(
                    .invalid, "top does not understand the ps argument \"\(word)\": use -ef, aux or -o name,…")
            }
            for name in list.split(separator: ",") {
                let aliases = [
                    "command": "args", "%cpu": "pcpu", "%mem": "pmem", "ucmd": "comm", "euser": "user", "tname": "tty",
                    "start": "stime",
                ]
                guard let column = ProcessColumn(rawValue: aliases[String(name)] ?? String(name)) else {
                    throw Failure(.invalid, "top does not know the column \"\(name)\"")
                }
                columns.append(column)
            }
        }
        guard columns.contains(.pid) else { throw Failure(.invalid, "Couldn't find PID field in ps output") }
        return columns
    }

    var title: String {
        switch self {
        case .pcpu: "%CPU"
        case .pmem: "%MEM"
        case .comm, .args: "COMMAND"
        case .etime: "ELAPSED"
        default: rawValue.uppercased()
        }
    }

    func value(_ process: ProcessFacts, _ host: HostFacts) -> String {
        switch self {
        case .user, .owner: host.users[process.uid] ?? String(process.uid)
        case .uid: String(process.uid)
        case .pid: String(process.pid)
        case .ppid: String(process.parent)
        case .pgid: String(process.group)
        case .c, .pcpu:
            self == .c ? String(Int(process.share(host))) : Self.tenths(process.share(host))
        case .pmem: Self.tenths(host.memory > 0 ? Double(process.resident) * 100 / Double(host.memory) : 0)
        case .stime, .begun: host.clock(process.startedAt(host))
        case .etime: Self.span(Int64(process.age(host)))
        case .tty: process.terminal
        case .time: Self.hours(process.ticks / host.ticksPerSecond)
        case .cmd, .args: process.commandLine
        case .comm: process.name
        case .vsz: String(process.virtual / 1024)
        case .rss: String(process.resident / 1024)
        case .stat: process.state
        case .ni: String(process.nice)
        case .nlwp: String(process.threads)
        }
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int((max(0, min(value, 99_999)) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    static func hours(_ seconds: Int64) -> String {
        two(seconds / 3600) + ":" + two(seconds / 60 % 60) + ":" + two(seconds % 60)
    }

    private static func span(_ seconds: Int64) -> String {
        let clock = two(seconds / 60 % 60) + ":" + two(seconds % 60)
        return seconds >= 3600 ? two(seconds / 3600) + ":" + clock : clock
    }

    static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

/// One process as `/proc/<pid>` shows it; see `proc_pid_stat(5)`.
struct ProcessFacts: Sendable {
    let pid: Int32
    let uid: UInt32
    let name: String
    let state: String
    let parent: Int32
    let group: Int32
    let terminal: String
    let ticks: Int64
    let nice: Int64
    let threads: Int64
    /// Ticks after boot.
    let started: Int64
    let virtual: Int64
    let resident: Int64
    let commandLine: String

    /// nil when it has ended meanwhile.
    init?(pid: Int32, host: HostFacts) {
        guard let stat = try? readText("/proc/\(pid)/stat", limit: 4096),
            let status = try? Linux.status("/proc/\(pid)"),
            let open = stat.firstIndex(of: "("), let close = stat.lastIndex(of: ")"), open < close
        else { return nil }
        let fields = stat[stat.index(after: close)...].split(separator: " ")
        guard fields.count >= 22 else { return nil }
        self.pid = pid
        uid = status.st_uid
        name = String(stat[stat.index(after: open)..<close])
        state = String(fields[0])
        parent = Int32(fields[1]) ?? 0
        group = Int32(fields[2]) ?? 0
        let device = UInt64(fields[4]) ?? 0
        let (major, minor) = (device >> 8 & 0xfff, (device & 0xff) | (device >> 12 & 0xfff00))
        terminal = device == 0 ? "?" : (136...143).contains(major) ? "pts/\(minor)" : major == 4 ? "tty\(minor)" : "?"
        ticks = (Int64(fields[11]) ?? 0) + (Int64(fields[12]) ?? 0)
        nice = Int64(fields[16]) ?? 0
        threads = Int64(fields[17]) ?? 0
        started = Int64(fields[19]) ?? 0
        virtual = Int64(fields[20]) ?? 0
        resident = (Int64(fields[21]) ?? 0) * host.pageSize
        let arguments = (try? readFile("/proc/\(pid)/cmdline", limit: 64 << 10)) ?? []
        let words = arguments.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        commandLine = words.isEmpty ? "[\(name)]" : words.joined(separator: " ")
    }

    func age(_ host: HostFacts) -> Double { max(0, host.uptime - Double(started) / Double(host.ticksPerSecond)) }
    func share(_ host: HostFacts) -> Double {
        let age = age(host)
        return age > 0 ? Double(ticks) / Double(host.ticksPerSecond) * 100 / age : 0
    }
    func startedAt(_ host: HostFacts) -> Int64 { host.now - Int64(age(host)) }
}

/// What of the machine the columns need.
struct HostFacts: Sendable {
    let ticksPerSecond = Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    let pageSize = Int64(max(1, sysconf(Int32(_SC_PAGESIZE))))
    let memory = Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))
    let now = Timestamp.now.seconds
    let uptime: Double
    /// The host's own names, as `ps` on the host shows them.
    let users: [UInt32: String]

    init() {
        uptime =
            (try? readText("/proc/uptime", limit: 256))?.split(separator: " ").first.flatMap { Double(String($0)) } ?? 0
        var users: [UInt32: String] = [:]
        for line in ((try? readText("/etc/passwd", limit: 1 << 20)) ?? "").split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count > 2, let uid = UInt32(fields[2]), users[uid] == nil { users[uid] = String(fields[0]) }
        }
        self.users = users
    }

    /// `09:41` UTC.
    func clock(_ seconds: Int64) -> String {
        ProcessColumn.two(seconds / 3600 % 24) + ":" + ProcessColumn.two(seconds / 60 % 60)
    }
}
