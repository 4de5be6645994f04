#!/usr/bin/perl
# Makes a unified kernel image: adds sections to systemd's EFI stub. Usage: uki.pl STUB OUT NAME=FILE…
# Written here because the objcopy of one architecture does not know the PE files of another.
# PE/COFF specification, "COFF File Header", "Optional Header", "Section Table".
use strict;
use warnings;

my ($stub, $out, @parts) = @ARGV;
sub slurp { my ($path) = @_; open(my $f, '<:raw', $path) or die "$path: $!\n"; local $/; my $data = <$f>; return $data }
sub up { my ($value, $to) = @_; return int(($value + $to - 1) / $to) * $to }

my $image = slurp($stub);
my $pe = unpack('V', substr($image, 0x3c, 4));
die "$stub is not a PE file\n" unless substr($image, $pe, 4) eq "PE\0\0";
my ($count, $optional_size) = (unpack('v', substr($image, $pe + 6, 2)), unpack('v', substr($image, $pe + 20, 2)));
my $optional = $pe + 24;
my ($section_align, $file_align) = unpack('VV', substr($image, $optional + 32, 8));
my $headers_size = unpack('V', substr($image, $optional + 60, 4));
my $table = $optional + $optional_size;

my $next = 0;
for my $i (0 .. $count - 1) {
    my ($size, $address) = unpack('VV', substr($image, $table + 40 * $i + 8, 8));
    $next = $address + $size if $address + $size > $next;
}
die "$stub has no room for more sections\n" if $table + 40 * ($count + @parts) > $headers_size;
for my $part (@parts) {
    my ($name, $file) = split(/=/, $part, 2);
    my $data = slurp($file);
    my $address = up($next, $section_align);
    my $at = up(length($image), $file_align);
    $image .= "\0" x ($at - length($image));
    my $raw = up(length($data), $file_align);
    # Initialised data, readable.
    substr($image, $table + 40 * $count, 40) = pack('a8VVVVVVvvV', ".$name", length($data), $address, $raw, $at, 0, 0, 0, 0, 0x40000040);
    $image .= $data . "\0" x ($raw - length($data));
    $next = $address + length($data);
    $count++;
}
substr($image, $pe + 6, 2) = pack('v', $count);
substr($image, $optional + 56, 4) = pack('V', up($next, $section_align));
open(my $f, '>:raw', $out) or die "$out: $!\n";
print {$f} $image or die "$out: $!\n";
close($f) or die "$out: $!\n";
