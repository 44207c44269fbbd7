//! The ports that an extension may listen on (D 2707, 2711).

/// The lowest port that the platform posts events to.
pub const FIRST: u16 = 8081;

/// The highest port that the platform posts events to.
pub const LAST: u16 = 8090;

/// The port in the example of page 2707, which is out of range: a typo on that page.
pub const DOCUMENTED_TYPO: u16 = 8011;

/// Returns `true` if the platform posts events to this port.
#[must_use]
pub const fn is_in_range(port: u16) -> bool {
    FIRST <= port && port <= LAST
}

#[cfg(test)]
mod tests {
    use super::is_in_range;

    #[test]
    fn ports_of_the_golden_list_are_accepted_or_rejected() {
        let (valid, invalid) = include!("../../tests/golden/ports.rs");
        for port in valid {
            assert!(is_in_range(port), "{port}");
        }
        for port in invalid {
            assert!(!is_in_range(port), "{port}");
        }
    }
}
