//! Which ports an extension may listen on, as the runtime and the macro apply it (D 2707, 2710).

/// The lowest port that the platform posts events to.
pub const FIRST: u16 = 8081;

/// The highest one.
pub const LAST: u16 = 8090;

/// The port in the example of page 2707, which is out of range: a slip of that page.
pub const DOCUMENTED_TYPO: u16 = 8011;

/// Returns whether the platform posts events to this port.
#[must_use]
pub const fn is_in_range(port: u16) -> bool {
    FIRST <= port && port <= LAST
}

#[cfg(test)]
mod tests {
    use super::is_in_range;

    #[test]
    fn rule_is_that_of_the_golden_list() {
        let (valid, invalid) = include!("../../tests/golden/ports.rs");
        for port in valid {
            assert!(is_in_range(port), "{port}");
        }
        for port in invalid {
            assert!(!is_in_range(port), "{port}");
        }
    }
}
