//! What passes through rank 0 on a machine of 64 workers, to the byte, and how long it all takes, to the
//! nanosecond of the virtual clock. Whoever changes a policy or a message sees here what it does to rank 0.

use crate::client::simulation::{Experiment, Graph, run};

#[test]
fn what_goes_through_rank_0_is_known_exactly() {
    type Expected = ([u64; 4], u128);
    let table: [(Graph, Expected); 5] = [
        (Graph::Map, ([10_128, 416_181, 5_031, 142_672], 15_700_676_437)),
        (Graph::Collect, ([20_064, 1_110_064, 5_031, 142_672], 15_700_689_553)),
        (Graph::Independent, ([10_576, 336_976, 64, 287_744], 15_700_282_310)),
        (Graph::Stencil { columns: 4 }, ([5_310, 73_638, 64, 288_896], 15_600_297_029)),
        (Graph::Tree, ([596, 6_736, 110, 175_358], 16_600_040_775)),
    ];
    let found = table.map(|(graph, _)| {
        let report = run(&Experiment { workers: 64, tasks: 10_000, graph, ..Experiment::default() });
        let zero = report.rank_zero;
        let through = [zero.messages_in, zero.bytes_in, zero.messages_out, zero.bytes_out];
        (graph, (through, report.makespan.as_nanos()))
    });
    assert_eq!(found, table);
}
