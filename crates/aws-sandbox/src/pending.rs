//! shim
#![allow(missing_docs, dead_code, unreachable_pub)]
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub(crate) struct Registry;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub(crate) struct PullError;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct RegistryError;
pub(crate) struct UnpackedImage { pub(crate) rootfs: PathBuf, pub(crate) entrypoint: Vec<String>, pub(crate) cmd: Vec<String>, pub(crate) env: Vec<(String,String)>, pub(crate) working_dir: PathBuf, pub(crate) digest: String }
impl Registry {
    pub(crate) fn open(_d: &Path) -> Result<Arc<Self>, RegistryError> { Ok(Arc::new(Self)) }
    pub(crate) fn resolve(&self, _r: &str, _t: &str) -> Option<String> { None }
    pub(crate) async fn answer(&self, _p: http::request::Parts, _b: hyper::body::Incoming) -> http::Response<http_body_util::combinators::BoxBody<bytes::Bytes, std::io::Error>> { std::future::pending().await }
    pub(crate) async fn unpack(&self, r: &str, t: &str, _i: &Path) -> Result<UnpackedImage, PullError> {
        let rootfs = PathBuf::from("/tmp/core-shim").join(r).join(t);
        if !rootfs.exists() { return Err(PullError); }
        Ok(UnpackedImage { rootfs, entrypoint: vec!["/app/echo".into()], cmd: vec![], env: vec![("RELEASE".into(), t.into())], working_dir: "/app".into(), digest: format!("sha256:{t}") })
    }
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct RdsError;
pub(crate) struct DatabaseSpec { pub(crate) identifier: String, pub(crate) db_name: String, pub(crate) username: String, pub(crate) password: String }
pub(crate) struct Endpoint { pub(crate) host: String, pub(crate) port: u16 }
pub(crate) struct Rds;
impl Rds {
    pub(crate) fn open(_d: &crate::front::persist::StateDir, _a: &str, _n: u8, _m: Arc<crate::cloudwatch::Metrics>) -> Result<Arc<Self>, crate::front::persist::PersistError> { Ok(Arc::new(Self)) }
    pub(crate) async fn start(&self) {}
    pub(crate) async fn stop(&self) {}
    pub(crate) async fn create(&self, _r: &str, _s: DatabaseSpec) -> Result<Endpoint, RdsError> { Err(RdsError) }
    pub(crate) async fn answer(&self, _c: &crate::front::call::Call) -> crate::front::call::Reply { std::future::pending().await }
}
pub struct Image { pub program: PathBuf, pub reference: String, pub environment: Vec<(String,String)>, pub labels: Vec<(String,String)> }
impl Image { pub async fn push(&self) -> Result<String, RegistryError> {
    let path = self.reference.split_once('/').unwrap().1; let (r, t) = path.split_once(':').unwrap();
    let dir = PathBuf::from("/tmp/core-shim").join(r).join(t).join("app"); std::fs::create_dir_all(&dir).unwrap();
    drop(std::fs::remove_file(dir.join("echo"))); std::fs::copy(&self.program, dir.join("echo")).unwrap(); Ok(format!("sha256:{t}")) } }
