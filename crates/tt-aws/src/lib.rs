//! The tool's only user of the AWS SDK.
