//! The URN of a function.

use crate::FunctionUrn;

/// Compares the parts of a URN with those that a split at each separator finds, and tests that the text is preserved.
pub fn function_urn(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let urn = FunctionUrn::from(&*text);
    assert_eq!((urn.as_str(), urn.as_ref()), (&*text, &*text));
    assert_eq!(urn.to_string(), text);
    assert_eq!(text.parse(), Ok(urn.clone()));
    let json = serde_json::to_string(&urn).unwrap();
    assert_eq!(serde_json::from_str::<FunctionUrn>(&json).unwrap(), urn);
    let width = text.chars().count() + 1;
    assert_eq!(format!("{urn:>width$}"), format!(" {text}"));

    let parts = [urn.region(), urn.project(), urn.package(), urn.name()];
    let qualifiers = [urn.version(), urn.alias()];
    match expected(&text) {
        Some((expected, qualifier)) => {
            assert_eq!(parts, expected.map(Some));
            let expected = match qualifier.strip_prefix('!') {
                Some(alias) => [None, Some(alias)],
                None => [Some(qualifier), None],
            };
            let is_present = |text: &Option<&str>| text.is_some_and(|text| !text.is_empty());
            assert_eq!(
                qualifiers,
                expected.map(|text| text.filter(|_| is_present(&text)))
            );
        }
        None => assert_eq!((parts, qualifiers), ([None; 4], [None; 2])),
    }
}

/// Returns the region, project, package and name of a URN, and its qualifier, which may be empty.
fn expected(text: &str) -> Option<([&str; 4], &str)> {
    let fields: Vec<_> = text.split(':').collect();
    let (parts, qualifier) = match fields[..] {
        [
            "urn",
            "fss",
            region,
            project,
            "function",
            package,
            name,
            ref rest @ ..,
        ] => ([region, project, package, name], rest),
        [_, region, _, project, "function", function, ref rest @ ..]
            if !text.starts_with("urn:fss:") =>
        {
            let parts: Vec<_> = function.splitn(3, '@').collect();
            let [_, package, name] = parts[..] else {
                return None;
            };
            ([region, project, package, name], rest)
        }
        _ => return None,
    };
    let qualifier = match qualifier {
        [] => "",
        [qualifier] => qualifier,
        _ => return None,
    };
    (!parts.contains(&"")).then_some((parts, qualifier))
}
