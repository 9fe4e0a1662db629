import DockerAPI
import Testing

@Suite struct APIVersionTests {
    @Test(arguments: [("1.24", APIVersion(1, 24)), ("v1.51", APIVersion(1, 51)), ("1.5", APIVersion(1, 5))])
    func readsMajorAndMinor(text: String, version: APIVersion) {
        #expect(APIVersion(text) == version)
    }

    @Test(arguments: ["", "1", "1.", ".1", "1.2.3", "-1.2", "1.+2", "vv1.2", "1.99999", "version", "v1.x"])
    func anythingElseIsNoVersion(text: String) {
        #expect(APIVersion(text) == nil)
    }

    @Test func minorsAreNumbersNotText() {
        #expect(APIVersion(1, 9) < APIVersion(1, 24))
        #expect(APIVersion(1, 51) < APIVersion(2, 0))
        #expect(APIVersion(1, 51).description == "1.51")
    }
}
