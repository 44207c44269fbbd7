//! Tests of the scanner, which compare it with `serde_json`.

use serde::de::IgnoredAny;

use super::{Invalid, Scanner};

/// Returns whether the text is one JSON value.
fn is_valid(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    let end = scanner.value(scanner.token(0));
    end.is_ok_and(|end| scanner.byte(scanner.token(end)).is_none())
}

fn assert_same_as_serde_json(text: &str) {
    let is_expected = serde_json::from_str::<IgnoredAny>(text).is_ok();
    assert_eq!(is_valid(text), is_expected, "{text:?}");
}

/// Values with all kinds of tokens.
const VALUES: &[&str] = &[
    r#"{"name":"platform.report","metrics":{"a":12.5,"b":-0,"c":[1e3,1E-2,0.5e+7]},"x":null}"#,
    r#" [ true , false,null ,"", "\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\ud800", {"\u0061" : [ ] , "" : { } } ] "#,
    "\"eight by, and more: \u{e9}\u{4e2d}\u{1f600} \u{7f}\"",
    "-12.25e-3",
    "[[[[{\"a\":[{}]}]]]]",
    "123456789012345678901234567890",
];

#[test]
fn texts_are_valid_as_for_serde_json() {
    for text in VALUES {
        assert!(is_valid(text), "{text}");
    }
    for text in [
        "",
        " ",
        "{",
        "[",
        "]",
        "}",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[}",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{1:2}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "tru",
        "truE",
        "nul",
        "falsy",
        "truefalse",
        "01",
        "-",
        "-01",
        "-a",
        "1.",
        ".5",
        "1.e5",
        "1e",
        "1e+",
        "+1",
        "1.5.5",
        "0x10",
        "NaN",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u",
        "\"a\nb\"",
        "\"\u{0}\"",
        "\"\u{1f}\"",
        "'a'",
        "1 2",
        "[] []",
        "\u{feff}1",
        "\u{a0}1",
        "//",
        "1e999",
        "[\u{b}1]",
    ] {
        assert_same_as_serde_json(text);
    }
}

#[test]
fn changed_texts_are_valid_as_for_serde_json() {
    // Every byte is removed, repeated, and replaced by each byte that has a meaning in JSON.
    let mut count = 0;
    for text in VALUES {
        for (position, character) in text.char_indices() {
            let (before, after) = text.split_at(position);
            let rest = &after[character.len_utf8()..];
            assert_same_as_serde_json(&format!("{before}{rest}"));
            assert_same_as_serde_json(before);
            for with in "{}[],:\"\\ntfu0123456789aAeE.+- \n\u{1}\u{7f}\u{e9}".chars() {
                assert_same_as_serde_json(&format!("{before}{with}{rest}"));
                assert_same_as_serde_json(&format!("{before}{with}{after}"));
                count += 2;
            }
        }
    }
    assert!(count > 10_000);
}

#[test]
fn special_characters_are_found_at_every_position() {
    for length in 0..40 {
        for end in [
            "\"", "\\n\"", "\n\"", "\u{1f}\"", "", "\\\"", "\u{80}\"", "!\"", "[\"",
        ] {
            assert_same_as_serde_json(&format!("\"{}{end}", "x".repeat(length)));
            assert_same_as_serde_json(&format!(
                "\"{}{end}{}",
                "\u{e9}".repeat(length),
                "y".repeat(9)
            ));
        }
    }
}

#[test]
fn deeply_nested_values_are_read_without_recursion() {
    let depth = 1_000_000;
    assert!(is_valid(&format!(
        "{}1{}",
        "[".repeat(depth),
        "]".repeat(depth)
    )));
    assert!(is_valid(&format!(
        "{}1{}",
        "{\"a\":".repeat(depth),
        "}".repeat(depth)
    )));
    assert!(!is_valid(&"[".repeat(depth)));
    assert!(!is_valid(&format!(
        "{}1{}",
        "[".repeat(depth),
        "}".repeat(depth)
    )));
}

#[test]
fn fields_of_an_object_are_found() {
    let text = r#"x { "a" : [1, 2] ,"b\"c":{"d":3}, "": "e"} y"#;
    let mut scanner = Scanner::new(text);
    let mut fields = Vec::new();
    let found = scanner.object(1, |field| {
        fields.push((&text[field.name], &text[field.value]))
    });
    assert_eq!(
        fields,
        [("a", "[1, 2]"), (r#"b\"c"#, r#"{"d":3}"#), ("", "\"e\"")]
    );
    assert_eq!(found.map(|end| &text[end..]), Ok(" y"));
    for text in ["{}", " { } "] {
        let mut fields = 0;
        let end = Scanner::new(text).object(0, |_| fields += 1);
        assert_eq!((end, fields), (Ok(text.trim_end().len()), 0));
    }
    for text in [
        "",
        "[]",
        "{",
        "{\"a\"",
        "{\"a\":1",
        "{\"a\":1,}",
        "{,}",
        "{\"a\",1}",
        "{a:1}",
        "{\"a\":x}",
    ] {
        assert_eq!(Scanner::new(text).object(0, |_| ()), Err(Invalid), "{text}");
    }
}
