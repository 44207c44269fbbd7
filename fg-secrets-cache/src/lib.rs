//! A cache of secrets beside a function of Huawei Cloud FunctionGraph.
