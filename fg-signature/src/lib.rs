//! Signs requests to the APIs of Huawei Cloud with an access key: SDK-HMAC-SHA256.
