//! Tests of the bounds of the store.

use super::*;

fn name(i: usize) -> SecretName {
    SecretName::new(&format!("n{i}")).unwrap()
}

fn store() -> Store {
    Store::new(Lifetimes {
        ttl: Duration::from_secs(60),
        stale: Duration::ZERO,
    })
}

fn insert(store: &mut Store, i: usize, bytes: usize) {
    let now = FreezeAwareInstant::now();
    store.look_up(&name(i), now);
    store.insert(&name(i), Fetched::new(vec![b'x'; bytes]), now);
}

fn has(store: &mut Store, i: usize) -> bool {
    let lookup = store.look_up(&name(i), FreezeAwareInstant::now());
    matches!(lookup, Lookup::Fresh { .. })
}

#[test]
fn least_recently_used_values_are_removed() {
    let mut store = store();
    let count = MAX_BYTES / MAX_VALUE_BYTES;
    for i in 0..count {
        insert(&mut store, i, MAX_VALUE_BYTES);
    }
    assert!(has(&mut store, 0));
    insert(&mut store, count, 1);
    assert!(has(&mut store, 0) && !has(&mut store, 1) && has(&mut store, 2));
    assert_eq!(store.bytes, MAX_BYTES - MAX_VALUE_BYTES + 1);
    // A smaller value in place of a larger one, without a request.
    let fetched = Fetched::new(vec![b'x'; 2]);
    store.insert(&name(0), fetched, FreezeAwareInstant::now());
    assert_eq!(store.bytes, MAX_BYTES - 2 * MAX_VALUE_BYTES + 3);
    store.clear();
    assert_eq!((store.bytes, store.len()), (0, 0));
}

#[test]
fn names_without_a_value_are_bounded() {
    let mut store = store();
    for i in 0..2 * MAX_ENTRIES {
        let now = FreezeAwareInstant::now();
        store.insert_failure(&name(i), SourceError::not_found(), now);
    }
    assert_eq!(store.len(), MAX_ENTRIES);
}

#[test]
fn debug_output_shows_no_value() {
    let fetched = Fetched::new(b"hunter2".to_vec()).with_version("v1");
    let mut store = store();
    let debug = format!("{fetched:?}");
    let served = store.insert(&name(1), fetched, FreezeAwareInstant::now());
    let debug = format!("{debug} {served:?} {store:?}");
    let bytes = format!("{:?}", b"hunter2");
    assert!(debug.contains("v1"), "{debug}");
    assert!(
        !debug.contains("hunter2") && !debug.contains(bytes.trim_matches(['[', ']'])),
        "{debug}"
    );
}
