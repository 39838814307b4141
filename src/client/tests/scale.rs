//! What passes through rank 0 on a machine of 64 workers, to the byte, and how long it all takes, to the
//! nanosecond of the virtual clock. Whoever changes a policy or a message sees here what it does to rank 0.

use crate::client::simulation::{Experiment, Graph, run};

#[test]
fn what_goes_through_rank_0_is_known_exactly() {
    type Expected = ([u64; 4], u128);
    let table: [(Graph, Expected); 5] = [
        (Graph::Map, ([10_064, 535_824, 5_031, 142_288], 15_700_677_274)),
        (Graph::Collect, ([20_000, 1_200_000, 5_031, 142_288], 15_700_690_545)),
        (Graph::Independent, ([10_000, 330_000, 64, 287_552], 15_700_282_127)),
        (Graph::Stencil { columns: 4 }, ([256, 8_448, 64, 288_704], 15_600_296_840)),
        (Graph::Tree, ([1, 33, 64, 174_476], 16_900_136_054)),
    ];
    let found = table.map(|(graph, _)| {
        let report = run(&Experiment { workers: 64, tasks: 10_000, graph, ..Experiment::default() });
        let zero = report.rank_zero;
        let through = [zero.messages_in, zero.bytes_in, zero.messages_out, zero.bytes_out];
        (graph, (through, report.makespan.as_nanos()))
    });
    assert_eq!(found, table);
}
