// A second top for Icarus: records every signal of the engine in the directory it runs in.
module icarus_waves;
  initial begin
    $dumpfile("dump.fst");
    $dumpvars(0, darb_engine);
  end
endmodule
