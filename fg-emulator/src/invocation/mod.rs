//! One invocation of the function: the request, the invoke event for the extensions, and the result.

mod event_post;
mod invoke_request;
mod result;

pub(crate) use self::event_post::EventPost;
pub use self::invoke_request::InvokeRequest;
pub use self::result::{ExtensionResponse, HttpResponse, InvokeResult};
