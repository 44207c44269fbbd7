//! The SET case.

use crate::cases::Case;
use crate::cases::CaseId::*;
use crate::cases::Fixture::OwnBoot;
use crate::cases::Mark::Unknown;

pub(super) const CASES: [Case; 1] = [Case {
    id: Set01,
    mark: Unknown,
    source: "user guide",
    sentence: "starts with its settings in RUNTIME_USERDATA alone",
    tried: "The check boots the extension with the settings of --user-data in RUNTIME_USERDATA only; in the other boots, they are \
            also environment variables. The extension must register at the same address, and respond to an event. It is \
            unknown whether what a user sets in the function's console reaches an extension as environment variables, so an \
            extension that needs them gets a warning. Without --user-data, the case is skipped.",
    remedy: "look a setting up in the environment, then in the JSON object in RUNTIME_USERDATA",
    fixture: OwnBoot,
    prevented_by: &[Reg09, Inv01],
}];
