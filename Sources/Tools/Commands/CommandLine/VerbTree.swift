/// Everything that can be typed after `skiff`.
enum VerbTree {
    static let root = Verb(noun: "skiff", "Containers for Linux", nouns + everyday + [CompleteShell.verb])

    private static let nouns: [Verb] = [
        Verb(noun: "builder", "Manage builds", [BuildImage.verb, PruneBuilder.verb]),
        Verb(
            noun: "container", "Manage containers",
            [
                AttachContainer.verb, CreateContainer.verb, ExecInContainer.verb, InspectObjects.container,
                KillContainers.verb, ShowLogs.verb, ListContainers.verb, PauseContainers.pause, ShowPorts.verb,
                Pruning.containers.verb("Remove all stopped containers"), RenameContainer.verb, StopContainers.restart,
                RemoveContainers.verb, RunContainer.verb, StartContainer.verb, StopContainers.stop, ShowProcesses.verb,
                PauseContainers.unpause, WaitForContainers.verb,
            ]),
        Verb(
            noun: "image", "Manage images",
            [
                BuildImage.verb, ImageHistory.verb, ImportImage.verb, InspectObjects.image, ImageArchives.load,
                ListImages.verb, PruneImages.verb, PullImage.verb, PushImage.verb, RemoveImages.verb,
                ImageArchives.save, TagImage.verb,
            ]),
        Verb(
            noun: "network", "Manage networks",
            [
                ConnectNetwork.connect, CreateNetwork.verb, ConnectNetwork.disconnect, InspectObjects.network,
                ListNetworks.verb, Pruning.networks.verb("Remove all unused networks"), RemoveNetworks.verb,
            ]),
        Verb(
            noun: "volume", "Manage volumes",
            [CreateVolume.verb, InspectObjects.volume, ListVolumes.verb, PruneVolumes.verb, RemoveVolumes.verb]),
        Verb(
            noun: "system", "Manage Skiff",
            [ShowDiskUsage.verb, ShowEvents.verb, ShowInfo.verb, PruneSystem.verb]),
    ]

    /// What people type without a noun.
    private static let everyday: [Verb] = [
        AttachContainer.verb, BuildImage.verb, CreateContainer.verb, ShowEvents.verb, ExecInContainer.verb,
        ImageHistory.verb, ListImages.verb.renamed("images"), ImportImage.verb, ShowInfo.verb, InspectObjects.verb,
        KillContainers.verb, ImageArchives.load, Login.verb, Logout.verb, ShowLogs.verb, PauseContainers.pause,
        ShowPorts.verb, ListContainers.verb.renamed("ps"), PullImage.verb, PushImage.verb, RenameContainer.verb,
        StopContainers.restart, RemoveContainers.verb.renamed("rm"), RemoveImages.verb.renamed("rmi"),
        RunContainer.verb,
        ImageArchives.save, StartContainer.verb, StopContainers.stop, TagImage.verb, ShowProcesses.verb,
        PauseContainers.unpause, ShowVersion.verb, WaitForContainers.verb,
    ]
}
