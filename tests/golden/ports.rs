// Valid and invalid ports of an extension (D 2707). The runtime and the emulator are tested against this list.
(
    [
        8081_u16, 8082, 8083, 8084, 8085, 8086, 8087, 8088, 8089, 8090,
    ],
    [0_u16, 80, 8011, 8080, 8091, 18081, 65535],
)
