//! The source `csms`: Huawei Cloud's Cloud Secret Management Service.
