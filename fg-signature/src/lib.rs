//! Signs requests to the APIs of Huawei Cloud with an access key: SDK-HMAC-SHA256.
//!
//! [`sign`] returns the headers that authenticate a request. It sends nothing, so it works with any HTTP client, blocking or not.
//!
//! ```
//! use std::time::SystemTime;
//!
//! use fg_signature::{Credentials, Request, sign};
//!
//! let credentials = Credentials::new("the access key", "the secret key");
//! let request = Request {
//!     method: "GET",
//!     host: "functiongraph.cn-north-4.myhuaweicloud.com",
//!     path: "/v2/0123456789abcdef0123456789abcdef/fgs/functions",
//!     query: "maxitems=10",
//!     headers: &[("Content-Type", "application/json")],
//!     body: b"",
//! };
//! for (name, value) in sign(&request, &credentials, SystemTime::now()) {
//!     // Add the header to the request.
//!     # assert!(!value.contains("the secret key"), "{name}");
//! }
//! ```
//!
//! The algorithm is documented in the *API Request Signing Guide* (**D**: pages `api-sign-algorithm-001` to `-005`, and
//! `api-sign-securetoken` for temporary keys). The tests sign the examples that these pages and the official SDKs publish.

mod canonical;
mod credentials;
mod signature;

pub use credentials::{Credentials, CredentialsError};
pub use signature::{Request, sign};
