// Memories and products of more kinds than the engine has, for their netlists' sake.

module byte_ram #(parameter BYTES = 4, ADDRESS = 9, FILE = "") (
    input clk, input [BYTES-1:0] w_en, input [ADDRESS-1:0] w_addr, input [9*BYTES-1:0] w_data,
    input r_en, input [ADDRESS-1:0] r_addr, output reg [9*BYTES-1:0] data = 0
);
    reg [9*BYTES-1:0] words [0:(1<<ADDRESS)-1];
    integer i;
    generate if (FILE != "") initial $readmemh(FILE, words); endgenerate
    always @(posedge clk) begin
        for (i = 0; i < BYTES; i = i + 1)
            if (w_en[i]) words[w_addr][9*i +: 9] <= w_data[9*i +: 9];
        if (r_en) data <= words[r_addr];
    end
endmodule

// Reads words of four times the width that it writes.
module gathering_ram #(parameter WIDTH = 9, ADDRESS = 9, FILE = "") (
    input clk, input w_en, input [ADDRESS+1:0] w_addr, input [WIDTH-1:0] w_data,
    input r_en, input [ADDRESS-1:0] r_addr, output reg [4*WIDTH-1:0] data = 0
);
    (* no_rw_check *) reg [WIDTH-1:0] words [0:(4<<ADDRESS)-1];
    wire [ADDRESS-1:0] elsewhere = w_addr[ADDRESS+1:2] ^ {r_addr, 1'b1};
    integer i;
    generate if (FILE != "") initial $readmemh(FILE, words); endgenerate
    always @(posedge clk) begin
        if (w_en) words[w_addr] <= w_data;
        if (r_en) for (i = 0; i < 4; i = i + 1)
            data[WIDTH*i +: WIDTH] <= words[{elsewhere, i[1:0]}];
    end
endmodule

module reset_ram #(parameter WIDTH = 18, ADDRESS = 10, FILE = "") (
    input clk, input w_en, input [ADDRESS-1:0] w_addr, input [WIDTH-1:0] w_data,
    input rst, input r_en, input [ADDRESS-2:0] r_addr, output reg [2*WIDTH-1:0] data = 0
);
    (* no_rw_check *) reg [WIDTH-1:0] first [0:(1<<ADDRESS)-1];
    (* no_rw_check *) reg [WIDTH-1:0] second [0:(1<<ADDRESS)-1];
    wire [ADDRESS-1:0] elsewhere = w_addr ^ {r_addr, 1'b1};
    generate if (FILE != "") initial $readmemh(FILE, first); endgenerate
    generate if (FILE != "") initial $readmemh(FILE, second); endgenerate
    always @(posedge clk) begin
        if (w_en) first[w_addr] <= w_data;
        if (w_en) second[w_addr] <= w_data;
        if (rst) data[WIDTH-1:0] <= 0;
        else if (r_en) data[WIDTH-1:0] <= first[elsewhere];
    end
    always @(posedge clk, posedge rst)
        if (rst) data[2*WIDTH-1:WIDTH] <= 0;
        else if (r_en) data[2*WIDTH-1:WIDTH] <= second[elsewhere];
endmodule

// Two ports that read and write, never at one place: what a port reads as it writes is MODE's.
// In mode 3 a reset clears what was read and blocks a write.
module dual_ram #(parameter WIDTH = 9, ADDRESS = 11, MODE = 0, FILE = "") (
    input clk, input [1:0] en, input [1:0] w_en, input [ADDRESS-1:0] addr,
    input [ADDRESS-2:0] other_addr, input [2*WIDTH-1:0] w_data, input [1:0] rst,
    output [2*WIDTH-1:0] data
);
    (* no_rw_check *) reg [WIDTH-1:0] words [0:(1<<ADDRESS)-1];
    generate if (FILE != "") initial $readmemh(FILE, words); endgenerate
    genvar p;
    generate for (p = 0; p < 2; p = p + 1) begin : port
        wire [ADDRESS-1:0] place = p ? addr ^ {other_addr, 1'b1} : addr;
        wire [WIDTH-1:0] value = w_data[WIDTH*p +: WIDTH];
        reg [WIDTH-1:0] read = 0;
        always @(posedge clk)
            if (MODE == 3 && rst[p]) read <= 0;
            else if (en[p]) begin
                if (w_en[p]) words[place] <= value;
                if (MODE == 0 && !w_en[p] || MODE == 1 || MODE == 3) read <= words[place];
                if (MODE == 2) read <= w_en[p] ? value : words[place];
            end
        assign data[WIDTH*p +: WIDTH] = read;
    end endgenerate
endmodule

module product #(parameter A = 8, B = 8, A_SIGNED = 1, B_SIGNED = 1) (
    input clk, input [A-1:0] a, input [B-1:0] b, output reg [A+B-1:0] data = 0
);
    wire signed [A:0] left = {A_SIGNED && a[A-1], a};
    wire signed [B:0] right = {B_SIGNED && b[B-1], b};
    reg [A+B-1:0] first = 0;
    always @(posedge clk) begin
        if (A_SIGNED && B_SIGNED) first <= $signed(a) * $signed(b);
        else if (!A_SIGNED && !B_SIGNED) first <= a * b;
        else first <= left * right;
        data <= first;
    end
endmodule

// Registers before and behind a multiplier. KIND 0: nothing else. 1: the first has an enable.
// 2: the last has a reset. 3: another reads the first one. 4: another reads the product.
// 5: the first one starts at one. 6: the second has an enable.
module registered_product #(parameter A = 8, B = 8, A_SIGNED = 1, B_SIGNED = 1, KIND = 0) (
    input clk, input en, input rst, input [A-1:0] a, input [B-1:0] b,
    output reg [A+B-1:0] data = 0
);
    reg [A-1:0] first = KIND == 5;
    reg [B-1:0] second = 0;
    reg [A+B-1:0] last = 0;
    wire signed [A:0] left = {A_SIGNED && first[A-1], first};
    wire signed [B:0] right = {B_SIGNED && second[B-1], second};
    wire [A+B-1:0] value = A_SIGNED && B_SIGNED ? $signed(first) * $signed(second)
        : !A_SIGNED && !B_SIGNED ? first * second : left * right;
    always @(posedge clk) begin
        if (en || KIND != 1) first <= a;
        if (en || KIND != 6) second <= b;
        last <= rst && KIND == 2 ? 0 : value;
        data <= KIND == 3 ? last ^ first : KIND == 4 ? last ^ value : last;
    end
endmodule
