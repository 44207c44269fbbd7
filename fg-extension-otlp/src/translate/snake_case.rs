//! The spelling of attribute names.

/// Converts a name such as `maxMemoryUsedMB` to snake case, as the conventions ask: `max_memory_used_mb`.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut previous: Option<char> = None;
    let mut chars = name.chars().peekable();
    while let Some(char) = chars.next() {
        let starts_word = char.is_uppercase()
            && previous.is_some_and(|previous| {
                let mut ends_acronym = || chars.peek().is_some_and(|next| next.is_lowercase());
                previous.is_lowercase()
                    || previous.is_numeric()
                    || (previous.is_uppercase() && ends_acronym())
            });
        if starts_word {
            snake.push('_');
        }
        match char {
            '-' | ' ' => snake.push('_'),
            // Much faster than the rule for all of Unicode, and nearly all names are in ASCII.
            _ if char.is_ascii() => snake.push(char.to_ascii_lowercase()),
            _ => snake.extend(char.to_lowercase()),
        }
        previous = Some(char);
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn words_are_separated_by_underscores() {
        for (name, snake) in [
            ("billedDurationMs", "billed_duration_ms"),
            ("maxMemoryUsedMB", "max_memory_used_mb"),
            ("HTTPCode", "http_code"),
            ("errorType", "error_type"),
            ("already_snake", "already_snake"),
            ("x86Arch", "x86_arch"),
            ("some-Key", "some_key"),
            ("Größe", "größe"),
            ("A", "a"),
            ("", ""),
        ] {
            assert_eq!(snake_case(name), snake, "{name}");
        }
    }
}
