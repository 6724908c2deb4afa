// Models of the ECP5 cells that yosys emits and has no simulation model of, written from the cells'
// ports and from how yosys maps memories and products to them. What is not covered ends the
// simulation: a model may be incomplete, never wrong.

// Block RAM of 1024 x 18 bits with two ports, each 1, 2, 4, 9 or 18 bits wide; or, where either
// width is 36, 512 x 36 bits with port A to write and port B to read.
// Words lie side by side in 36-bit rows, lowest first; widths 1, 2 and 4 leave every ninth bit out.
// What the silicon does not promise is X: bits that one port reads while the other writes them,
// bits that both write at once, and all bits after a write to an unknown place.
module DP16KD #(
    parameter DATA_WIDTH_A = 18, parameter DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", parameter REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC", parameter ASYNC_RESET_RELEASE = "SYNC",
    parameter CSDECODE_A = "0b000", parameter CSDECODE_B = "0b000",
    parameter WRITEMODE_A = "NORMAL", parameter WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA", parameter CLKBMUX = "CLKB",
    parameter GSR = "ENABLED",
    parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0,
    parameter [319:0] INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0,
    parameter [319:0] INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0,
    parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0,
    parameter [319:0] INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0,
    parameter [319:0] INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0,
    parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0,
    parameter [319:0] INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0,
    parameter [319:0] INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0,
    parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0,
    parameter [319:0] INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0,
    parameter [319:0] INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0,
    parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0,
    parameter [319:0] INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0,
    parameter [319:0] INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
    parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0
) (
    input  wire CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0,
    input  wire ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7,
    input  wire ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input  wire DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
    input  wire DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    output wire DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
    output wire DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
    input  wire CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
    input  wire ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7,
    input  wire ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input  wire DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
    input  wire DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    output wire DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
    output wire DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    localparam ROWS = 512;
    // Both data buses belong to port A when it writes and to port B when it reads.
    localparam JOINED = DATA_WIDTH_A == 36 || DATA_WIDTH_B == 36;
    reg [35:0] rows [0:ROWS-1];
    // A variable: Icarus would build a constant anew for each part that is taken from it.
    reg [64*320-1:0] contents;
    integer n;
    initial begin
        contents = {
            INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39,
            INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32,
            INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B,
            INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24,
            INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D,
            INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16,
            INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F,
            INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
            INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01,
            INITVAL_00
        };
        for (n = 0; n < ROWS; n = n + 1)
            rows[n] = {contents[40*n+20 +: 18], contents[40*n +: 18]};
        if (RESETMODE != "SYNC" && RESETMODE != "ASYNC")
            $fatal(1, "%m: DP16KD has no model of RESETMODE %0s", RESETMODE);
        if (ASYNC_RESET_RELEASE != RESETMODE)
            $fatal(1, "%m: DP16KD has no model of ASYNC_RESET_RELEASE %0s", ASYNC_RESET_RELEASE);
        if (CLKAMUX != "CLKA")
            $fatal(1, "%m: DP16KD has no model of CLKAMUX %0s", CLKAMUX);
        if (CLKBMUX != "CLKB")
            $fatal(1, "%m: DP16KD has no model of CLKBMUX %0s", CLKBMUX);
    end

    wire [13:0] address [0:1];
    wire [35:0] data_in [0:1];
    wire [1:0] clock = {CLKB, CLKA};
    wire [1:0] reset = {RSTB, RSTA};
    wire [1:0] output_enable = {OCEB, OCEA};
    wire [1:0] enable = {CEB & ~|{CSB2, CSB1, CSB0}, CEA & ~|{CSA2, CSA1, CSA0}};
    wire [1:0] write = {WEB, WEA};
    assign address[0] = {
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7,
        ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
    };
    assign address[1] = {
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7,
        ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
    };
    assign data_in[0] = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
        DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0
    };
    assign data_in[1] = {
        18'bx,
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0
    };

    genvar p;
    generate
        for (p = 0; p < 2; p = p + 1) begin : port
            localparam WIDTH = p ? DATA_WIDTH_B : DATA_WIDTH_A;
            localparam WRITEMODE = p ? WRITEMODE_B : WRITEMODE_A;
            localparam REGMODE = p ? REGMODE_B : REGMODE_A;
            localparam CSDECODE = p ? CSDECODE_B : CSDECODE_A;
            // Address bits inside a word.
            localparam LOW = $clog2(WIDTH + 1) - 1;
            localparam [35:0] WORD = {36{1'b1}} >> (36 - WIDTH);

            initial begin
                if (WIDTH != 1 && WIDTH != 2 && WIDTH != 4 && WIDTH != 9 && WIDTH != 18
                        && WIDTH != 36)
                    $fatal(1, "%m: DP16KD has no model of DATA_WIDTH %0d", WIDTH);
                if (WRITEMODE != "NORMAL" && WRITEMODE != "WRITETHROUGH"
                        && WRITEMODE != "READBEFOREWRITE")
                    $fatal(1, "%m: DP16KD has no model of WRITEMODE %0s", WRITEMODE);
                if (REGMODE != "NOREG" && REGMODE != "OUTREG")
                    $fatal(1, "%m: DP16KD has no model of REGMODE %0s", REGMODE);
                if (CSDECODE != "0b000")
                    $fatal(1, "%m: DP16KD has no model of CSDECODE %0s", CSDECODE);
            end

            wire [13:0] place = address[p] >> LOW << LOW;
            wire [8:0] row = place[13:5];
            wire [5:0] offset = 9 * place[4:3] + place[2:0];
            // Wide words take the address bits that they do not need as byte enables.
            wire [3:0] bytes = WIDTH == 36 ? address[p][3:0]
                : WIDTH == 18 ? {2'b00, address[p][1:0]} : 4'b0001;
            wire [35:0] written = WORD
                & {{9{bytes[3]}}, {9{bytes[2]}}, {9{bytes[1]}}, {9{bytes[0]}}};

            // What this port did at its last edge, for the other one to see.
            realtime edge_time;
            reg [8:0] edge_row;
            reg [5:0] edge_offset;
            reg [35:0] read_bits, written_bits;
            reg reads, writes;
            reg [35:0] latch, register, old_word, new_word;
            integer i;
            initial begin
                edge_time = -1.0;
                latch = 36'b0;
                register = 36'b0;
            end

            always @(posedge clock[p]) begin
                edge_time = $realtime;
                edge_row = row;
                edge_offset = offset;
                writes = enable[p] & write[p] & |bytes;
                reads = enable[p] & ~(write[p] & WRITEMODE == "NORMAL");
                if (JOINED && p && write[p] !== 1'b0)
                    $fatal(1, "%m: DP16KD has no model of a write through port B beside 36 bits");
                if (RESETMODE == "SYNC" && reset[p] !== 1'b0 && writes !== 1'b0)
                    $fatal(1, "%m: DP16KD has no model of a write beside a synchronous reset");
                if (REGMODE == "OUTREG" && reset[p] !== 1'b0)
                    $fatal(1, "%m: DP16KD has no model of the output register's reset");

                old_word = rows[row] >> offset;
                new_word = old_word & ~written | data_in[p] & written;
                if (reads === 1'bx) latch <= 36'bx;
                else if (reads)
                    latch <= write[p] && WRITEMODE == "WRITETHROUGH" ? new_word : old_word;
                if (reset[p] !== 1'b0) latch <= 36'b0 & {36{reset[p]}};
                if (output_enable[p] !== 1'b0) register <= output_enable[p] ? latch : 36'bx;

                if (writes === 1'bx || writes && ^{place, bytes} === 1'bx)
                    for (i = 0; i < ROWS; i = i + 1) rows[i] <= 36'bx;
                else if (writes)
                    for (i = 0; i < WIDTH; i = i + 1)
                        if (written[i]) rows[row][offset + i] <= data_in[p][i];

                read_bits = reads ? WORD << offset : 36'b0;
                written_bits = writes ? written << offset : 36'b0;
                if (port[1-p].edge_time == edge_time && port[1-p].edge_row == row)
                    for (i = 0; i < 36; i = i + 1) begin
                        if (written_bits[i] && port[1-p].written_bits[i]) rows[row][i] <= 1'bx;
                        if (read_bits[i] && port[1-p].written_bits[i]) latch[i - offset] <= 1'bx;
                        if (written_bits[i] && port[1-p].read_bits[i])
                            port[1-p].latch[i - port[1-p].edge_offset] <= 1'bx;
                    end
            end
            if (RESETMODE == "ASYNC") begin : asynchronous
                always @(reset[p]) if (reset[p] !== 1'b0) latch <= 36'b0 & {36{reset[p]}};
            end

            // Bits past the word are nobody's.
            wire [35:0] data_out = (REGMODE == "OUTREG" ? register : latch) & WORD | ~WORD & 36'bx;
        end
    endgenerate

    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
        DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0
    } = DATA_WIDTH_B == 36 ? port[1].data_out[17:0]
        : DATA_WIDTH_A == 36 ? 18'bx : port[0].data_out[17:0];
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
        DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
    } = DATA_WIDTH_B == 36 ? port[1].data_out[35:18] : port[1].data_out[17:0];
endmodule

// Product of two 18-bit numbers, each signed or not, with or without registers before it and behind
// it, and without the chains to its neighbours, whose ports are left out.
module MULT18X18D #(
    parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0",
    parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0",
    parameter REG_INPUTC_CLK = "NONE",
    parameter REG_PIPELINE_CLK = "NONE",
    parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0",
    parameter MULT_BYPASS = "DISABLED"
) (
    input  wire A17, A16, A15, A14, A13, A12, A11, A10, A9,
    input  wire A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input  wire B17, B16, B15, B14, B13, B12, B11, B10, B9,
    input  wire B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input  wire C17, C16, C15, C14, C13, C12, C11, C10, C9,
    input  wire C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input  wire SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    input  wire CLK0, CE0, RST0,
    output wire P35, P34, P33, P32, P31, P30, P29, P28, P27,
    output wire P26, P25, P24, P23, P22, P21, P20, P19, P18,
    output wire P17, P16, P15, P14, P13, P12, P11, P10, P9,
    output wire P8, P7, P6, P5, P4, P3, P2, P1, P0,
    output wire SIGNEDP
);
    wire [17:0] a = {
        A17, A16, A15, A14, A13, A12, A11, A10, A9,
        A8, A7, A6, A5, A4, A3, A2, A1, A0
    };
    wire [17:0] b = {
        B17, B16, B15, B14, B13, B12, B11, B10, B9,
        B8, B7, B6, B5, B4, B3, B2, B1, B0
    };
    localparam REGISTERED = REG_INPUTA_CLK != "NONE" || REG_INPUTB_CLK != "NONE"
        || REG_OUTPUT_CLK != "NONE";
    reg [17:0] a_register, b_register;
    reg [35:0] p_register;
    wire [17:0] a_operand = REG_INPUTA_CLK == "NONE" ? a : a_register;
    wire [17:0] b_operand = REG_INPUTB_CLK == "NONE" ? b : b_register;
    wire signed [18:0] a_value = {SIGNEDA & a_operand[17], a_operand};
    wire signed [18:0] b_value = {SIGNEDB & b_operand[17], b_operand};
    wire signed [37:0] product = a_value * b_value;
    wire [35:0] p = REG_OUTPUT_CLK == "NONE" ? product[35:0] : p_register;
    initial begin
        a_register = 18'b0;
        b_register = 18'b0;
        p_register = 36'b0;
    end
    always @(posedge CLK0) begin
        if (REGISTERED && (CE0 !== 1'b1 || RST0 !== 1'b0))
            $fatal(1, "%m: MULT18X18D has no model of its registers' enable and reset");
        a_register <= a;
        b_register <= b;
        p_register <= product[35:0];
    end
    assign {
        P35, P34, P33, P32, P31, P30, P29, P28, P27,
        P26, P25, P24, P23, P22, P21, P20, P19, P18,
        P17, P16, P15, P14, P13, P12, P11, P10, P9,
        P8, P7, P6, P5, P4, P3, P2, P1, P0
    } = p;
    assign SIGNEDP = SIGNEDA | SIGNEDB;

    initial begin
        if (REG_INPUTA_CLK != "NONE" && REG_INPUTA_CLK != "CLK0")
            $fatal(1, "%m: MULT18X18D has no model of REG_INPUTA_CLK %0s", REG_INPUTA_CLK);
        if (REG_INPUTB_CLK != "NONE" && REG_INPUTB_CLK != "CLK0")
            $fatal(1, "%m: MULT18X18D has no model of REG_INPUTB_CLK %0s", REG_INPUTB_CLK);
        if (REG_INPUTC_CLK != "NONE")
            $fatal(1, "%m: MULT18X18D has no model of REG_INPUTC_CLK %0s", REG_INPUTC_CLK);
        if (REG_PIPELINE_CLK != "NONE")
            $fatal(1, "%m: MULT18X18D has no model of REG_PIPELINE_CLK %0s", REG_PIPELINE_CLK);
        if (REG_OUTPUT_CLK != "NONE" && REG_OUTPUT_CLK != "CLK0")
            $fatal(1, "%m: MULT18X18D has no model of REG_OUTPUT_CLK %0s", REG_OUTPUT_CLK);
        if (MULT_BYPASS != "DISABLED")
            $fatal(1, "%m: MULT18X18D has no model of MULT_BYPASS %0s", MULT_BYPASS);
    end
    always @(SIGNEDA or SIGNEDB)
        if (REGISTERED && $time > 0)
            $fatal(1, "%m: MULT18X18D has no model of a sign that changes beside registers");
    always @(SOURCEA or SOURCEB)
        if (SOURCEA !== 1'b0 || SOURCEB !== 1'b0)
            $fatal(1, "%m: MULT18X18D has no model of the shift chain");
endmodule
