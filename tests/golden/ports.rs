// Ports that an extension can listen on, and ports that it cannot (D 2707).
(
    [
        8081_u16, 8082, 8083, 8084, 8085, 8086, 8087, 8088, 8089, 8090,
    ],
    [0_u16, 80, 8011, 8080, 8091, 18081, 65535],
)
