//! Makes text of extensions and functions safe to print, on a terminal and elsewhere.

use anstream::adapter::strip_str;
use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use fg_util::terminal::neutralize;

/// Returns the text in a form that cannot control the terminal that the stream may be.
///
/// Colors are kept if the stream supports them. If not, all escape sequences are removed, so that a file contains plain
/// text.
pub(crate) fn printable(text: &str, stream: &impl RawStream) -> String {
    match AutoStream::choice(stream) {
        ColorChoice::Never => neutralize(&strip_str(text).to_string()).into_owned(),
        _ => neutralize(text).into_owned(),
    }
}
