//! Ranks of an MPI world: the only place that knows MPI.
//!
//! One thread makes all calls (`MPI_THREAD_FUNNELED`), and none of them waits: messages are sent by
//! `MPI_Isend` from buffers that stay here until they are gone, and received by `MPI_Improbe` and
//! `MPI_Mrecv`, so that a message's length need not be known beforehand. All traffic is on a communicator
//! of its own. The safe layer of the `mpi` crate lends buffers to requests for a scope, which does not fit
//! buffers that live in a queue; so the calls are made through its raw interface.
#![allow(unsafe_code)]

use super::{
    Hello, Transport, hello,
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
    collections::{HashMap, VecDeque},
    marker::PhantomData,
    mem::MaybeUninit,
    os::raw::c_int,
    rc::Rc,
    time::Duration,
};

/// A message that is complete with this piece, and a piece that is followed by others.
const WHOLE: c_int = 0;
const PIECE: c_int = 1;
/// A sign of life.
const ALIVE: c_int = 2;
/// Counts are C integers, so longer messages go in pieces.
const LONGEST_PIECE: usize = 1 << 30;

/// This process's end of an MPI world.
pub(crate) struct MpiTransport {
    // Fields are dropped in this order, and the communicator must go before MPI does.
    communicator: SimpleCommunicator,
    raw: MPI_Comm,
    rank: u32,
    size: u32,
    sending: VecDeque<Sending>,
    /// Pieces of long messages that have come, by sender.
    pieces: HashMap<u32, Vec<u8>>,
    watch: Option<Watch>,
    heartbeat: Option<Heartbeat>,
    /// Finalises MPI when it is dropped.
    _universe: mpi::environment::Universe,
    /// MPI is called by the thread that initialised it.
    one_thread: PhantomData<*const ()>,
}

/// A message on its way: its last bytes leave the buffer when the request is complete.
struct Sending {
    request: MPI_Request,
    _message: Rc<Vec<u8>>,
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
    /// A host that is silent for longer than `patience` is taken for dead; zero switches that off.
    pub(crate) fn start(
        me: &Hello,
        announced: Option<usize>,
        patience: Duration,
    ) -> Result<(Self, World), StartError> {
        let (universe, threading) =
            mpi::initialize_with_threading(Threading::Funneled).ok_or(StartError::AlreadyInitialised)?;
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
            pieces: HashMap::new(),
            watch: None,
            heartbeat: None,
            _universe: universe,
            one_thread: PhantomData,
        };
        if let Some(announced) = announced.filter(|&announced| announced != size as usize) {
            return Err(StartError::WrongSize { announced, size: size as usize });
        }
        let fingerprint = hello::fingerprint().unwrap_or_default();
        let sealed = transport.all_gather(&hello::seal(fingerprint, me));
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
        transport.watch = Watch::new(rank as usize, &hellos);
        transport.heartbeat = Heartbeat::new(rank as usize, &hellos, patience);
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

    fn send_piece(&mut self, to: u32, message: &Rc<Vec<u8>>, start: usize, length: usize, tag: c_int) {
        let mut request = MaybeUninit::<MPI_Request>::uninit();
        let piece = &message[start..start + length];
        // SAFETY: the piece lies in a buffer that `sending` keeps, unchanged and in its place, until the
        // request is complete; its length fits a C integer; MPI is initialised and this is its thread.
        let request = unsafe {
            ffi::MPI_Isend(
                piece.as_ptr().cast(),
                length as c_int,
                ffi::RSMPI_UINT8_T,
                to as c_int,
                tag,
                self.raw,
                request.as_mut_ptr(),
            );
            request.assume_init()
        };
        self.sending.push_back(Sending { request, _message: Rc::clone(message) });
    }

    fn receive_piece(&mut self) -> Option<(u32, c_int, Vec<u8>)> {
        let mut flag: c_int = 0;
        let mut matched = MaybeUninit::uninit();
        let mut status = MaybeUninit::<MPI_Status>::uninit();
        // SAFETY: all out-parameters are valid for writes; MPI fills `matched` and `status` if it sets
        // `flag`. The message is received at once into a buffer of the length that the status tells.
        unsafe {
            ffi::MPI_Improbe(
                ffi::RSMPI_ANY_SOURCE,
                ffi::RSMPI_ANY_TAG,
                self.raw,
                &mut flag,
                matched.as_mut_ptr(),
                status.as_mut_ptr(),
            );
            if flag == 0 {
                return None;
            }
            let (mut matched, status) = (matched.assume_init(), status.assume_init());
            let mut length: c_int = 0;
            ffi::MPI_Get_count(&status, ffi::RSMPI_UINT8_T, &mut length);
            let mut message: Vec<u8> = Vec::with_capacity(length as usize);
            ffi::MPI_Mrecv(
                message.as_mut_ptr().cast(),
                length,
                ffi::RSMPI_UINT8_T,
                &mut matched,
                ffi::RSMPI_STATUS_IGNORE,
            );
            message.set_len(length as usize);
            Some((status.MPI_SOURCE as u32, status.MPI_TAG, message))
        }
    }

    /// Forgets messages that have left.
    fn test_sending(&mut self) {
        self.sending.retain_mut(|sending| {
            let mut flag: c_int = 0;
            // SAFETY: the request was made by `MPI_Isend` and has not been completed before, since it
            // leaves the queue when it is.
            unsafe {
                ffi::MPI_Test(&mut sending.request, &mut flag, ffi::RSMPI_STATUS_IGNORE);
            }
            flag == 0
        });
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

    fn send(&mut self, to: u32, message: Vec<u8>) {
        let length = message.len();
        let message = Rc::new(message);
        let mut start = 0;
        while length - start > LONGEST_PIECE {
            self.send_piece(to, &message, start, LONGEST_PIECE, PIECE);
            start += LONGEST_PIECE;
        }
        self.send_piece(to, &message, start, length - start, WHOLE);
    }

    fn receive(&mut self) -> Option<(u32, Vec<u8>)> {
        while let Some((from, tag, piece)) = self.receive_piece() {
            if let Some(heartbeat) = &mut self.heartbeat {
                heartbeat.heard(from);
            }
            if tag == ALIVE {
                continue;
            }
            if tag == PIECE {
                self.pieces.entry(from).or_default().extend(piece);
                continue;
            }
            return Some(match self.pieces.remove(&from) {
                None => (from, piece),
                Some(mut message) => {
                    message.extend(piece);
                    (from, message)
                }
            });
        }
        None
    }

    fn progress(&mut self) {
        self.test_sending();
        if let Some(to) = self.heartbeat.as_mut().and_then(Heartbeat::due) {
            self.send_piece(to, &Rc::new(Vec::new()), 0, 0, ALIVE);
        }
        let died = self.watch.as_mut().and_then(Watch::check);
        if let Some(death) = died.or_else(|| self.heartbeat.as_ref().and_then(Heartbeat::check)) {
            eprintln!("serried: {death}");
            self.abort(1);
        }
    }

    fn leave(&mut self) {
        const NAP: Duration = Duration::from_micros(20);
        self.watch = None;
        self.heartbeat = None;
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
                return;
            }
            while self.receive().is_some() {}
            std::thread::sleep(NAP);
        }
    }

    fn abort(&mut self, code: i32) -> ! {
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
