//! Ranks of an MPI world: the only place that knows MPI.
//!
//! One thread makes all calls, and none of them waits; where there are several hosts, another one sends signs of
//! life between them, and the two take turns (`MPI_THREAD_SERIALIZED`). Messages up to a few kilobytes go into
//! receives that every rank has always posted, so that they are neither probed for nor buffered by MPI; of a longer
//! one its length goes there, and its body into a receive that is posted when the length is known. All
//! traffic is on a communicator of its own. The safe layer of the `mpi` crate lends buffers to requests for a
//! scope, which does not fit buffers that live in a queue; so the calls are made through its raw interface.
#![allow(unsafe_code)]

use super::{
    Hello, Transport, hello,
    pulse::Pulse,
    watch::{Heartbeat, Watch},
};
use mpi::{
    Threading,
    ffi::{self, MPI_Comm, MPI_Request, MPI_Status},
    raw::AsRaw,
    topology::{Communicator, SimpleCommunicator},
    traits::{CommunicatorCollectives, Root},
};
use std::{
    collections::{BTreeMap, VecDeque},
    marker::PhantomData,
    mem::MaybeUninit,
    os::raw::c_int,
    time::Duration,
};

/// The tag of what is short, and of the bodies of long messages.
const SHORT: c_int = 0;
const BODY: c_int = 1;
/// The last byte of a short message: it is a message, or it tells the length of one. A sign of life is empty.
const WHOLE: u8 = 0;
const LENGTH: u8 = 1;
/// The bytes of a receive that is always posted, and how many there are.
const SLOT: usize = 8 << 10;
const SLOTS: usize = 16;
/// Counts are C integers, so bodies go in pieces of at most this length.
const LONGEST_PIECE: usize = 1 << 30;
/// A host that is silent for so many seconds is taken for dead.
const PATIENCE: u64 = 30;
/// Buffers of messages that have left are kept for the next ones, as many as this.
const SPARE: usize = 8;

/// This process's end of an MPI world.
pub(crate) struct MpiTransport {
    // Fields are dropped in this order, and the communicator must go before MPI does.
    communicator: SimpleCommunicator,
    raw: MPI_Comm,
    rank: u32,
    size: u32,
    sending: VecDeque<Sending>,
    spare: Vec<Vec<u8>>,
    /// Buffers of messages that were read, for receives.
    spare_slots: Vec<Vec<u8>>,
    /// The receives that are posted, in the order in which messages go into them.
    slots: VecDeque<Slot>,
    /// Messages behind a long one that has not come whole, by sender.
    held_up: BTreeMap<u32, VecDeque<Incoming>>,
    watch: Option<Watch>,
    heartbeat: Option<Heartbeat>,
    /// Sends signs of life, if this rank does.
    pulse: Option<Pulse>,
    /// Finalises MPI when it is dropped.
    _universe: mpi::environment::Universe,
    /// MPI is called, but for signs of life, by the thread that initialised it.
    one_thread: PhantomData<*const ()>,
}

/// A message on its way: its buffer stays until all requests are complete.
struct Sending {
    requests: Vec<MPI_Request>,
    _message: Vec<u8>,
}

/// Sends signs of life, on a thread of its own.
struct Beat {
    raw: MPI_Comm,
    to: u32,
    /// The last one, until it has left.
    request: Option<MPI_Request>,
}

// SAFETY: handles of MPI are valid on every thread of the process; whoever uses these has the floor.
unsafe impl Send for Beat {}

impl Beat {
    fn send(&mut self) {
        if let Some(mut last) = self.request.take()
            && test(&mut last).is_none()
        {
            self.request = Some(last);
            return;
        }
        let mut request = MaybeUninit::<MPI_Request>::uninit();
        let nothing: [u8; 0] = [];
        // SAFETY: a message without bytes reads none; MPI fills the request.
        self.request = Some(unsafe {
            ffi::MPI_Isend(
                nothing.as_ptr().cast(),
                0,
                ffi::RSMPI_UINT8_T,
                self.to as c_int,
                SHORT,
                self.raw,
                request.as_mut_ptr(),
            );
            request.assume_init()
        });
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        if let Some(mut last) = self.request.take()
            && test(&mut last).is_none()
        {
            // SAFETY: the request is that of a send under way, which MPI completes by itself.
            unsafe {
                ffi::MPI_Request_free(&mut last);
            }
        }
    }
}

/// A posted receive.
struct Slot {
    request: MPI_Request,
    buffer: Vec<u8>,
}

/// A message in the order in which it was sent.
enum Incoming {
    Whole(Vec<u8>),
    /// Some of it may have come already.
    Long {
        requests: Vec<MPI_Request>,
        message: Vec<u8>,
    },
}

/// What a rank knows of the world after the start.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) hellos: Vec<Hello>,
    pub(crate) threads: Vec<usize>,
}

/// The name and version of the MPI library that the program is linked with.
pub(crate) fn library_name() -> String {
    mpi::environment::library_version().unwrap_or_default()
}

impl MpiTransport {
    /// Initialises MPI and introduces the ranks to each other. An error is the same on every rank.
    pub(crate) fn start(me: &Hello, announced: Option<usize>) -> Result<(Self, World), StartError> {
        let (universe, threading) =
            mpi::initialize_with_threading(Threading::Serialized).ok_or(StartError::AlreadyInitialised)?;
        if threading < Threading::Funneled {
            log::warn!("the MPI library grants {threading:?} only; one thread of serried calls it");
        }
        let communicator = universe.world().duplicate();
        let (rank, size) = (communicator.rank() as u32, communicator.size() as u32);
        let mut transport = MpiTransport {
            raw: communicator.as_raw(),
            communicator,
            rank,
            size,
            sending: VecDeque::new(),
            spare: Vec::new(),
            spare_slots: Vec::new(),
            slots: VecDeque::new(),
            held_up: BTreeMap::new(),
            watch: None,
            heartbeat: None,
            pulse: None,
            _universe: universe,
            one_thread: PhantomData,
        };
        if let Some(announced) = announced.filter(|&announced| announced != size as usize) {
            return Err(StartError::WrongSize { announced, size: size as usize });
        }
        let sealed = transport.all_gather(&hello::seal(&hello::fingerprint(), me));
        let sealed: Vec<&[u8]> = sealed.iter().map(Vec::as_slice).collect();
        let hellos = match hello::open(&sealed) {
            Ok(hellos) => hellos,
            Err(problem) => {
                // Before anybody leaves: a launcher may end the others as soon as one has.
                if rank == 0 {
                    eprintln!("serried: {problem}");
                }
                transport.leave();
                return Err(StartError::Different);
            }
        };
        (0..SLOTS).for_each(|_| transport.post());
        transport.watch = Watch::new(rank as usize, &hellos);
        // Rank 0 speaks for all: launchers do not hand variables on to other hosts.
        let patience = Duration::from_secs(hellos[0].heartbeat.unwrap_or(PATIENCE));
        match threading < Threading::Serialized {
            true => log::warn!(
                "the MPI library grants {threading:?} only, so that a host that is busy cannot be told from one that \
                 is lost: none is taken for lost"
            ),
            false => transport.listen(Heartbeat::new(rank as usize, &hellos, patience)),
        }
        let threads = hello::threads(&hellos);
        Ok((transport, World { hellos, threads }))
    }

    /// What every rank has to say, on every rank. Collective.
    fn all_gather(&self, mine: &[u8]) -> Vec<Vec<u8>> {
        let mut lengths = vec![0u64; self.size as usize];
        self.communicator.all_gather_into(&(mine.len() as u64), &mut lengths[..]);
        let all = lengths.iter().enumerate().map(|(rank, &length)| {
            let mut bytes = if rank as u32 == self.rank { mine.to_vec() } else { vec![0; length as usize] };
            self.communicator.process_at_rank(rank as c_int).broadcast_into(&mut bytes[..]);
            bytes
        });
        all.collect()
    }

    /// Begins to hear and to send signs of life.
    fn listen(&mut self, heartbeat: Option<Heartbeat>) {
        let Some(heartbeat) = heartbeat else { return };
        let mut beat = Beat { raw: self.raw, to: heartbeat.to(), request: None };
        match Pulse::start(heartbeat.interval(), move || beat.send()) {
            Ok(pulse) => self.pulse = Some(pulse),
            Err(error) => log::warn!("no thread for signs of life ({error}): the next host may miss them"),
        }
        self.heartbeat = Some(heartbeat);
    }

    /// Calls MPI while nobody else does.
    #[inline]
    fn on_floor<R>(&mut self, call: impl FnOnce(&mut Self) -> R) -> R {
        let Some(pulse) = self.pulse.take() else { return call(self) };
        let floor = pulse.floor();
        let result = call(self);
        drop(floor);
        self.pulse = Some(pulse);
        result
    }

    /// Starts to send some bytes.
    ///
    /// The caller keeps the bytes unchanged and in their place until the request is complete.
    fn start_send(&self, bytes: &[u8], to: u32, tag: c_int) -> MPI_Request {
        let mut request = MaybeUninit::<MPI_Request>::uninit();
        // SAFETY: the bytes stay until the request is complete (all callers put the buffer into `sending`);
        // their number fits a C integer; MPI is initialised and this is its thread.
        unsafe {
            ffi::MPI_Isend(
                bytes.as_ptr().cast(),
                bytes.len() as c_int,
                ffi::RSMPI_UINT8_T,
                to as c_int,
                tag,
                self.raw,
                request.as_mut_ptr(),
            );
            request.assume_init()
        }
    }

    /// Starts to receive into some bytes.
    ///
    /// The caller keeps the bytes in their place and does not look at them until the request is complete.
    fn start_receive(&self, bytes: &mut [u8], from: c_int, tag: c_int) -> MPI_Request {
        let mut request = MaybeUninit::<MPI_Request>::uninit();
        // SAFETY: as for `start_send`; the buffers are in `slots` or in `held_up`.
        unsafe {
            ffi::MPI_Irecv(
                bytes.as_mut_ptr().cast(),
                bytes.len() as c_int,
                ffi::RSMPI_UINT8_T,
                from,
                tag,
                self.raw,
                request.as_mut_ptr(),
            );
            request.assume_init()
        }
    }

    /// Sends a message that fits a slot with its last byte. A buffer that has left at once is kept for the
    /// next message.
    fn send_short(&mut self, to: u32, mut message: Vec<u8>) {
        let mut request = self.start_send(&message, to, SHORT);
        if test(&mut request).is_some() {
            if self.spare.len() < SPARE {
                message.clear();
                self.spare.push(message);
            }
            return;
        }
        // The vector moves, its bytes stay where they are.
        self.sending.push_back(Sending { requests: vec![request], _message: message });
    }

    /// Posts a receive for a short message.
    fn post(&mut self) {
        let mut buffer = self.spare_slots.pop().unwrap_or_else(|| vec![0; SLOT]);
        let request = self.start_receive(&mut buffer, any_source(), SHORT);
        self.slots.push_back(Slot { request, buffer });
    }

    /// The next message and its sender; messages behind a long one that is under way wait for it.
    fn next_message(&mut self) -> Option<(u32, Vec<u8>)> {
        loop {
            if !self.held_up.is_empty()
                && let Some(message) = self.next_held_up()
            {
                return Some(message);
            }
            let slot = self.slots.front_mut()?;
            let status = test(&mut slot.request)?;
            let from = status.MPI_SOURCE as u32;
            let length = received(&status);
            let slot = self.slots.pop_front().expect("it was just looked at");
            self.post();
            let mut buffer = slot.buffer;
            buffer.truncate(length);
            match self.short_message(from, buffer) {
                Some(Incoming::Whole(message)) if !self.held_up.contains_key(&from) => {
                    return Some((from, message));
                }
                Some(message) => self.held_up.entry(from).or_default().push_back(message),
                None => {}
            }
        }
    }

    /// What a short message says.
    fn short_message(&mut self, from: u32, mut bytes: Vec<u8>) -> Option<Incoming> {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.heard(from);
        }
        match bytes.pop() {
            Some(WHOLE) => return Some(Incoming::Whole(bytes)),
            Some(_) => {}
            None => {
                self.reuse(bytes);
                return None;
            }
        }
        let length = u64::from_le_bytes(bytes[..].try_into().expect("eight bytes"));
        self.reuse(bytes);
        let mut message = vec![0; length as usize];
        let pieces = message.chunks_mut(LONGEST_PIECE);
        let requests = pieces.map(|piece| self.start_receive(piece, from as c_int, BODY)).collect();
        Some(Incoming::Long { requests, message })
    }

    /// The first message of a sender that a long one holds up, if it has come whole.
    fn next_held_up(&mut self) -> Option<(u32, Vec<u8>)> {
        let complete = |incoming: &mut Incoming| match incoming {
            Incoming::Whole(_) => true,
            Incoming::Long { requests, .. } => {
                requests.retain_mut(|request| test(request).is_none());
                requests.is_empty()
            }
        };
        let first = |(from, queue): (&u32, &mut VecDeque<Incoming>)| {
            queue.front_mut().is_some_and(complete).then_some(*from)
        };
        let from = self.held_up.iter_mut().find_map(first)?;
        let queue = self.held_up.get_mut(&from)?;
        let message = match queue.pop_front()? {
            Incoming::Whole(message) | Incoming::Long { message, .. } => message,
        };
        if queue.is_empty() {
            self.held_up.remove(&from);
        }
        Some((from, message))
    }

    /// Forgets messages that have left.
    fn test_sending(&mut self) {
        self.sending.retain_mut(|sending| {
            sending.requests.retain_mut(|request| test(request).is_none());
            !sending.requests.is_empty()
        });
    }

    /// Takes back the receives that were posted.
    fn withdraw_slots(&mut self) {
        for mut slot in self.slots.drain(..) {
            // SAFETY: the request is a receive that was not completed; it is completed here, by being cancelled
            // or, if a message was faster, by that.
            unsafe {
                ffi::MPI_Cancel(&mut slot.request);
                ffi::MPI_Wait(&mut slot.request, ffi::RSMPI_STATUS_IGNORE);
            }
        }
    }

    /// Starts a barrier that does not wait.
    fn barrier(&self) -> MPI_Request {
        let mut request = MaybeUninit::<MPI_Request>::uninit();
        // SAFETY: the communicator is valid and `request` is filled by the call.
        unsafe {
            ffi::MPI_Ibarrier(self.raw, request.as_mut_ptr());
            request.assume_init()
        }
    }
}

impl Transport for MpiTransport {
    fn rank(&self) -> u32 {
        self.rank
    }

    fn size(&self) -> u32 {
        self.size
    }

    fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    fn send(&mut self, to: u32, mut message: Vec<u8>) {
        if message.len() < SLOT {
            message.push(WHOLE);
            return self.on_floor(|me| me.send_short(to, message));
        }
        let mut length = (message.len() as u64).to_le_bytes().to_vec();
        length.push(LENGTH);
        self.on_floor(|me| {
            me.send_short(to, length);
            let pieces = message.chunks(LONGEST_PIECE);
            let requests = pieces.map(|piece| me.start_send(piece, to, BODY)).collect();
            me.sending.push_back(Sending { requests, _message: message });
        });
    }

    fn receive(&mut self) -> Option<(u32, Vec<u8>)> {
        self.on_floor(Self::next_message)
    }

    fn reuse(&mut self, mut message: Vec<u8>) {
        if message.capacity() == SLOT && self.spare_slots.len() < SPARE {
            // SAFETY: the buffer was made with `SLOT` zeros, and nothing ever uninitialises its bytes.
            unsafe { message.set_len(SLOT) };
            self.spare_slots.push(message);
        }
    }

    fn progress(&mut self) {
        if !self.sending.is_empty() {
            self.on_floor(Self::test_sending);
        }
    }

    fn look_after(&mut self) {
        let died = self.watch.as_mut().and_then(Watch::check);
        if let Some(death) = died.or_else(|| self.heartbeat.as_mut().and_then(Heartbeat::check)) {
            eprintln!("serried: {death}");
            self.abort(1);
        }
    }

    fn leave(&mut self) {
        const NAP: Duration = Duration::from_micros(20);
        self.watch = None;
        self.heartbeat = None;
        self.pulse = None;
        while !self.sending.is_empty() {
            self.test_sending();
            self.receive();
            std::thread::sleep(NAP);
        }
        let mut barrier = self.barrier();
        loop {
            let mut flag: c_int = 0;
            // SAFETY: the barrier's request is tested until it is complete, and not after that.
            unsafe {
                ffi::MPI_Test(&mut barrier, &mut flag, ffi::RSMPI_STATUS_IGNORE);
            }
            if flag != 0 {
                break;
            }
            while self.receive().is_some() {}
            std::thread::sleep(NAP);
        }
        // Everybody's messages have left, so that what is under way to here comes; MPI writes to its memory until then.
        while !self.held_up.is_empty() {
            self.receive();
        }
        self.withdraw_slots();
    }

    fn abort(&mut self, code: i32) -> ! {
        let _floor = self.pulse.as_ref().map(Pulse::floor);
        abort(&self.communicator, code)
    }
}

impl Drop for MpiTransport {
    /// A thread that panics would leave the other ranks waiting in MPI's own end.
    fn drop(&mut self) {
        if std::thread::panicking() {
            abort(&self.communicator, 101);
        }
    }
}

impl std::fmt::Debug for MpiTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MpiTransport(rank {} of {})", self.rank, self.size)
    }
}

/// Whether a request is complete, and then what it came to. It must not be tested again after that.
#[inline]
fn test(request: &mut MPI_Request) -> Option<MPI_Status> {
    let mut flag: c_int = 0;
    let mut status = MaybeUninit::<MPI_Status>::uninit();
    // SAFETY: the request was started and was not completed before, as every caller forgets it then; MPI
    // fills the status if it sets the flag.
    unsafe {
        ffi::MPI_Test(request, &mut flag, status.as_mut_ptr());
        (flag != 0).then(|| status.assume_init())
    }
}

/// The number of bytes that a receive has brought.
fn received(status: &MPI_Status) -> usize {
    let mut length: c_int = 0;
    // SAFETY: the status is that of a completed receive of bytes.
    unsafe { ffi::MPI_Get_count(status, ffi::RSMPI_UINT8_T, &mut length) };
    length as usize
}

/// A receive takes messages of any rank.
fn any_source() -> c_int {
    // SAFETY: it is a constant.
    unsafe { ffi::RSMPI_ANY_SOURCE }
}

/// Ends the job. Some launchers leave the caller waiting in `MPI_Abort` for ranks that are no more: it must
/// end all the same.
fn abort(communicator: &SimpleCommunicator, code: i32) -> ! {
    const PATIENCE: Duration = Duration::from_secs(1);
    std::thread::spawn(move || {
        std::thread::sleep(PATIENCE);
        // SAFETY: it ends the process without running anything of it.
        unsafe { libc::_exit(code) }
    });
    communicator.abort(code)
}

/// Why the ranks cannot work together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(
        "MPI is initialised already; let `serried::run` initialise it, and call it once, at the start of main"
    )]
    AlreadyInitialised,
    #[error(
        "the launcher announced {announced} ranks, but the MPI library of this program sees {size}: they are \
         of different kinds. Start the program with the mpirun of the MPI it was built with, or give srun \
         the --mpi option that fits it (pmi2 for MPICH, pmix for Open MPI)"
    )]
    WrongSize { announced: usize, size: usize },
    #[error("ranks run different executables; rank 0 has said which")]
    Different,
}
