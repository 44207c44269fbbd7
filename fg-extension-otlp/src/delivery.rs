//! What became of a request.

/// What became of a request with our metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delivery {
    /// The collector accepted it, perhaps without some of its data points.
    Accepted,
    /// The collector rejected it permanently.
    Rejected,
    /// It failed in another way, so its data has to be sent again.
    Failed,
}
