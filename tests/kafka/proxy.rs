//! A TCP proxy between engines and broker, as bad as a network can be: it delays, stalls, tears,
//! closes, resets and half-closes connections, and swallows the answers of produce requests that the
//! broker has carried out. It knows of Kafka only where a frame begins and which answer is whose.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use socket2::SockRef;

use crate::dice::Dice;
use crate::engine::pause;

const PRODUCE: [u8; 2] = [0, 0];
const FRAME_BYTES_MAX: usize = 64 << 20;
/// A reader that takes nothing for so long is taken for dead.
const WRITE_TIME_MAX: Duration = Duration::from_secs(20);

/// What happens to a connection, at once.
#[derive(Clone, Copy)]
pub enum Cut {
    /// Both ends hear an orderly end.
    Close,
    /// Both ends hear a reset.
    Reset,
    /// The next answer arrives in part, then a reset.
    Tear,
    /// The broker hears the end, the engine hears nothing more, ever.
    HalfToBroker,
    /// The engine hears the end; what it still says arrives.
    HalfToEngine,
}

#[derive(Clone)]
pub struct Proxy {
    pub address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Where the broker listens; 0 before it is known.
    broker: AtomicU16,
    links: Mutex<Vec<Weak<Link>>>,
    /// Each frame waits so long, in either direction.
    delay_ms: AtomicU64,
    /// New connections are accepted, and nothing is forwarded.
    stalling: AtomicBool,
    answers_to_lose: AtomicUsize,
    answers_lost: AtomicUsize,
    torn: AtomicUsize,
}

/// A connection of an engine and the one that leads on.
struct Link {
    engine: TcpStream,
    broker: TcpStream,
    stalled: AtomicBool,
    to_tear: AtomicBool,
    /// The broker was told that it ends, the engine was not.
    half: AtomicBool,
    gone: AtomicBool,
    /// Correlation ids of produce requests under way.
    produces: Mutex<BTreeSet<[u8; 4]>>,
}

impl Proxy {
    /// Listens. What comes before `lead_to` is refused.
    pub fn listen() -> io::Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        spawn("accept", move || {
            for engine in listener.incoming().flatten() {
                // No broker: the connection drops, as where nobody listens.
                let _ = accepting.link(engine);
            }
        });
        Ok(Proxy { address, shared })
    }

    pub fn lead_to(&self, port: u16) {
        self.shared.broker.store(port, SeqCst);
    }

    pub fn port(&self) -> &str {
        self.address.rsplit(':').next().expect("an address has a port")
    }

    /// Does it to about a third of the connections, and at least one. Says to how many.
    pub fn cut(&self, cut: Cut, dice: &mut Dice) -> usize {
        let hit = self.some(dice);
        hit.iter().for_each(|link| link.cut(cut));
        hit.len()
    }

    /// From now on about half of the connections forward nothing, and new ones neither.
    pub fn stall(&self, dice: &mut Dice) -> usize {
        self.shared.stalling.store(true, SeqCst);
        let mut hit = self.some(dice);
        hit.extend(self.some(dice));
        hit.iter().for_each(|link| link.stalled.store(true, SeqCst));
        hit.len()
    }

    pub fn delay(&self, millis: u64) {
        self.shared.delay_ms.store(millis, SeqCst);
    }

    /// The next answers of produce requests get lost.
    pub fn lose_answers(&self, count: usize) {
        self.shared.answers_to_lose.store(count, SeqCst);
    }

    pub fn answers_lost(&self) -> usize {
        self.shared.answers_lost.load(SeqCst)
    }

    pub fn torn(&self) -> usize {
        self.shared.torn.load(SeqCst)
    }

    /// No delay and no stall any more: what was held back arrives now, however late.
    pub fn calm(&self) {
        self.shared.delay_ms.store(0, SeqCst);
        self.shared.stalling.store(false, SeqCst);
        self.shared.answers_to_lose.store(0, SeqCst);
        for link in self.links() {
            link.stalled.store(false, SeqCst);
        }
    }

    fn links(&self) -> Vec<Arc<Link>> {
        let mut links = whole(&self.shared.links);
        links.retain(|link| link.strong_count() > 0);
        links.iter().filter_map(Weak::upgrade).collect()
    }

    fn some(&self, dice: &mut Dice) -> Vec<Arc<Link>> {
        let mut links = self.links();
        let hit = links.len().div_ceil(3);
        while links.len() > hit {
            links.swap_remove(dice.below(links.len() as u64) as usize);
        }
        links
    }
}

impl Shared {
    fn link(self: &Arc<Self>, engine: TcpStream) -> io::Result<()> {
        let broker = SocketAddr::from(([127, 0, 0, 1], self.broker.load(SeqCst)));
        let broker = TcpStream::connect(broker)?;
        for end in [&engine, &broker] {
            end.set_nodelay(true)?;
            end.set_write_timeout(Some(WRITE_TIME_MAX))?;
        }
        let link = Arc::new(Link {
            engine,
            broker,
            stalled: AtomicBool::new(self.stalling.load(SeqCst)),
            to_tear: AtomicBool::default(),
            half: AtomicBool::default(),
            gone: AtomicBool::default(),
            produces: Mutex::default(),
        });
        whole(&self.links).push(Arc::downgrade(&link));
        // It may have calmed down before this link was known.
        link.stalled.fetch_and(self.stalling.load(SeqCst), SeqCst);
        let (shared, asking) = (Arc::clone(self), Arc::clone(&link));
        spawn("requests", move || {
            let _ended = asking.requests(&shared);
            asking.end();
        });
        let (shared, answering) = (Arc::clone(self), link);
        spawn("answers", move || {
            let _ended = answering.answers(&shared);
            if !answering.half.load(SeqCst) {
                answering.end();
            }
        });
        Ok(())
    }

    fn loses_an_answer(&self) -> bool {
        let one_less = |count: usize| count.checked_sub(1);
        let lost = self.answers_to_lose.fetch_update(SeqCst, SeqCst, one_less).is_ok();
        self.answers_lost.fetch_add(usize::from(lost), SeqCst);
        lost
    }
}

impl Link {
    fn requests(&self, shared: &Shared) -> io::Result<()> {
        loop {
            let frame = frame(&self.engine)?;
            // The kind of request, its version, then its correlation id.
            if let ([kind @ .., _, _], Some(id)) = (&frame[4..8], frame[8..].first_chunk())
                && kind == PRODUCE
            {
                whole(&self.produces).insert(*id);
            }
            self.hold(shared);
            let written = (&self.broker).write_all(&frame);
            if !self.half.load(SeqCst) {
                written?;
            }
        }
    }

    fn answers(&self, shared: &Shared) -> io::Result<()> {
        loop {
            let frame = frame(&self.broker)?;
            let produced = frame[4..].first_chunk().map(|id| whole(&self.produces).remove(id));
            if produced == Some(true) && shared.loses_an_answer() {
                self.cut(Cut::Reset);
            }
            self.hold(shared);
            if self.to_tear.load(SeqCst) {
                (&self.engine).write_all(&frame[..frame.len() / 2])?;
                shared.torn.fetch_add(1, SeqCst);
                self.cut(Cut::Reset);
            }
            if self.gone.load(SeqCst) {
                return Ok(());
            }
            (&self.engine).write_all(&frame)?;
        }
    }

    /// Keeps a frame back while the connection is slow or stalled.
    fn hold(&self, shared: &Shared) {
        pause(shared.delay_ms.load(SeqCst));
        while self.stalled.load(SeqCst) && !self.gone.load(SeqCst) {
            pause(10);
        }
    }

    fn cut(&self, cut: Cut) {
        // An end that is gone already cannot be ended.
        let _ = match cut {
            Cut::Close => return self.end(),
            Cut::Reset => {
                // Nothing is sent now; closing, when both threads have let go, sends the reset.
                for end in [&self.engine, &self.broker] {
                    let _ = SockRef::from(end).set_linger(Some(Duration::ZERO));
                    let _ = end.shutdown(Shutdown::Read);
                }
                self.gone.store(true, SeqCst);
                Ok(())
            }
            Cut::Tear => {
                self.to_tear.store(true, SeqCst);
                Ok(())
            }
            Cut::HalfToBroker => {
                self.half.store(true, SeqCst);
                self.broker.shutdown(Shutdown::Write)
            }
            Cut::HalfToEngine => self.engine.shutdown(Shutdown::Write),
        };
    }

    fn end(&self) {
        if !self.gone.swap(true, SeqCst) {
            let _ = self.engine.shutdown(Shutdown::Both);
            let _ = self.broker.shutdown(Shutdown::Both);
        }
    }
}

/// A whole frame, its four bytes of length included.
fn frame(mut from: &TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let bytes = u32::from_be_bytes(length) as usize;
    if !(4..=FRAME_BYTES_MAX).contains(&bytes) {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let mut frame = vec![0; 4 + bytes];
    frame[..4].copy_from_slice(&length);
    from.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn whole<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().name(format!("proxy-{name}"));
    thread.spawn(work).expect("there are threads");
}
