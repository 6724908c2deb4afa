// Read-only memory of DEPTH words, its contents read from FILE ($readmemh text).
// Two clocks from addr and en to data: the array's register, then the output register.
module darb_rom #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS = 1,
    parameter FILE = ""
) (
    input  wire               clk,
    input  wire               en,
    input  wire [ADDRESS-1:0] addr,
    output reg  [WIDTH-1:0]   data
);
    // To exchange the contents of a placed design, a tool has to find every bit in block RAM.
`ifdef DARB_ROM_GRAIN
    localparam WORDS = (DEPTH + `DARB_ROM_GRAIN - 1) & ~(`DARB_ROM_GRAIN - 1);
    (* rom_style = "block" *)
`else
    localparam WORDS = DEPTH;
`endif
    reg [WIDTH-1:0] words [0:WORDS-1];
    reg [WIDTH-1:0] read;
    // Some tools look into the module before they know its parameters.
    generate
        if (FILE != "") begin : contents
            initial $readmemh(FILE, words);
        end
    endgenerate
    initial begin
        read = {WIDTH{1'b0}};
        data = {WIDTH{1'b0}};
    end
    always @(posedge clk) begin
        if (en) read <= words[addr];
        data <= read;
    end
endmodule

// Read-only memory for the engine, written at run time by the image loader; zero at first.
// Two clocks from addr and en to data: the array's register, then the output register.
// Nobody asks what a read beside a write of the same word gets: the engine is in reset meanwhile.
module darb_loadable_rom #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS = 1
) (
    input  wire               clk,
    input  wire               w_en,
    input  wire [ADDRESS-1:0] w_addr,
    input  wire [WIDTH-1:0]   w_data,
    input  wire               en,
    input  wire [ADDRESS-1:0] addr,
    output reg  [WIDTH-1:0]   data
);
    (* no_rw_check *)
    reg [WIDTH-1:0] words [0:DEPTH-1];
    reg [WIDTH-1:0] read;
    integer i;
    initial begin
        for (i = 0; i < DEPTH; i = i + 1) words[i] = {WIDTH{1'b0}};
        read = {WIDTH{1'b0}};
        data = {WIDTH{1'b0}};
    end
    always @(posedge clk) begin
        if (w_en) words[w_addr] <= w_data;
        if (en) read <= words[addr];
        data <= read;
    end
endmodule

// Memory of DEPTH words with one write and one read port, zero at first.
// One clock from r_addr and r_en to data; a read beside a write of the same word gets the old one.
module darb_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS = 1
) (
    input  wire               clk,
    input  wire               w_en,
    input  wire [ADDRESS-1:0] w_addr,
    input  wire [WIDTH-1:0]   w_data,
    input  wire               r_en,
    input  wire [ADDRESS-1:0] r_addr,
    output reg  [WIDTH-1:0]   data
);
    reg [WIDTH-1:0] words [0:DEPTH-1];
    integer i;
    initial begin
        for (i = 0; i < DEPTH; i = i + 1) words[i] = {WIDTH{1'b0}};
        data = {WIDTH{1'b0}};
    end
    always @(posedge clk) begin
        if (w_en) words[w_addr] <= w_data;
        if (r_en) data <= words[r_addr];
    end
endmodule
