//! Where sealed contents lie: a folder, or an S3-compatible bucket.
//!
//! What is written here is sealed already, and its key is made of an id: neither contents nor names reach the store. All
//! calls run on a runtime of their own, so that commands and jobs, which have none, may wait for them.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Runtime;

use crate::error::{Code, Error, Result};

/// How long one call may take, repetitions included.
const LONGEST: Duration = Duration::from_secs(20);

/// A bucket.
#[derive(Clone)]
pub struct Bucket {
    /// Where the service answers, such as `https://cos.ap-guangzhou.myqcloud.com`.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Its name.
    pub name: String,
    /// Who asks.
    pub access_key: SecretString,
    /// What proves it.
    pub secret_key: SecretString,
    /// Whether the bucket's name stands in the host's name rather than in the path.
    pub virtual_host: bool,
}

/// Keeps sealed contents. Cheap to clone.
#[derive(Clone)]
pub struct Storage(Arc<Place>);

enum Place {
    Folder { path: PathBuf, made: OnceLock<Arc<LocalFileSystem>> },
    Bucket(Arc<AmazonS3>),
}

impl Storage {
    /// A folder, which is made when it is first needed.
    pub fn folder(path: PathBuf) -> Self {
        Self(Arc::new(Place::Folder { path, made: OnceLock::new() }))
    }

    /// A bucket. Nothing is asked of it yet.
    ///
    /// # Errors
    /// The settings cannot be those of a bucket.
    pub fn bucket(bucket: &Bucket) -> Result<Self, object_store::Error> {
        let client = ClientOptions::new()
            .with_timeout(Duration::from_secs(15))
            .with_connect_timeout(Duration::from_secs(3))
            .with_allow_http(bucket.endpoint.starts_with("http://"));
        let retry = RetryConfig { max_retries: 2, retry_timeout: LONGEST, ..RetryConfig::default() };
        let store = AmazonS3Builder::new()
            .with_endpoint(bucket.endpoint.clone())
            .with_region(bucket.region.clone())
            .with_bucket_name(bucket.name.clone())
            .with_access_key_id(bucket.access_key.expose_secret())
            .with_secret_access_key(bucket.secret_key.expose_secret())
            .with_virtual_hosted_style_request(bucket.virtual_host)
            // Not every compatible service knows the request that deletes many.
            .with_disable_bulk_delete(true)
            .with_client_options(client)
            .with_retry(retry)
            .build()?;
        Ok(Self(Arc::new(Place::Bucket(Arc::new(store)))))
    }

    /// Writes an object whole, or not at all.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        let (store, path) = (self.clone(), Path::from(key));
        off(async move { store.write(&path, bytes).await }).await
    }

    /// Reads an object. One that is not there is a fault of ours: a row says that it is.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>> {
        let (store, path) = (self.clone(), Path::from(key));
        off(async move { store.read(&path).await }).await
    }

    /// [`Storage::put`] for code that is off the async threads.
    pub fn put_blocking(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        let (store, path) = (self.clone(), Path::from(key));
        wait(async move { store.write(&path, bytes).await })
    }

    /// [`Storage::get`] for code that is off the async threads.
    pub fn get_blocking(&self, key: &str) -> Result<Vec<u8>> {
        let (store, path) = (self.clone(), Path::from(key));
        wait(async move { store.read(&path).await })
    }

    /// Removes an object, if it is there. For code that is off the async threads.
    pub fn delete_blocking(&self, key: &str) -> Result<()> {
        let (store, path) = (self.clone(), Path::from(key));
        wait(async move {
            match store.store()?.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        })
    }

    fn store(&self) -> Result<Arc<dyn ObjectStore>> {
        match &*self.0 {
            Place::Bucket(bucket) => Ok(Arc::clone(bucket) as Arc<dyn ObjectStore>),
            Place::Folder { path, made } => {
                if let Some(folder) = made.get() {
                    return Ok(Arc::clone(folder) as Arc<dyn ObjectStore>);
                }
                std::fs::create_dir_all(path).map_err(|error| unavailable().cause(error))?;
                let folder = LocalFileSystem::new_with_prefix(path).map_err(failed)?;
                // A row that was committed has its content after a loss of power, too.
                let folder = folder.with_fsync(true);
                Ok(Arc::clone(made.get_or_init(|| Arc::new(folder))) as Arc<dyn ObjectStore>)
            }
        }
    }

    async fn write(&self, path: &Path, bytes: Vec<u8>) -> Result<()> {
        self.store()?.put(path, bytes.into()).await.map_err(failed)?;
        Ok(())
    }

    async fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let found = self.store()?.get(path).await.map_err(failed)?;
        Ok(found.bytes().await.map_err(failed)?.to_vec())
    }
}

fn unavailable() -> Error {
    Error::new(Code::FileStoreUnavailable).retry_after(Duration::from_secs(5))
}

/// What a failure of the store means to a client.
fn failed(error: object_store::Error) -> Error {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return Error::internal(error);
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(one) = cause {
        let kind = one.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if kind.is_some_and(|kind| kind == std::io::ErrorKind::StorageFull) {
            return Error::new(Code::StorageFull).retry_after(Duration::from_secs(30)).cause(error);
        }
        cause = one.source();
    }
    unavailable().cause(error)
}

/// One thread for all stores of this process.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let make = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("files").enable_all().build().ok()
    };
    RUNTIME.get_or_init(make).as_ref().ok_or_else(|| Error::internal("no thread for the file store"))
}

async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(LONGEST, work).await.unwrap_or_else(|_| Err(unavailable().cause("it took too long")))
}

async fn off<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    runtime()?.spawn(timed(work)).await.map_err(Error::internal)?
}

fn wait<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let (done, outcome) = mpsc::sync_channel(1);
    runtime()?.spawn(async move {
        // Whoever asked waits below.
        let _heard = done.send(timed(work).await);
    });
    outcome.recv().map_err(Error::internal)?
}
