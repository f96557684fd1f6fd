// Texts whose order everybody knows: sizes, shares, days, months.
#pragma once

#include <string>
#include <vector>

namespace deepgen {

// Three or more values in such an order, least first; none where their order is not known.
std::vector<std::string> usual_order(const std::vector<std::string>& values);

// "small<medium<large" as in ordinal=size(small<medium<large): in the usual order, where there is one, else as
// they come and at most so many, with "..." for the others.
std::string order_text(const std::vector<std::string>& values, std::size_t most);

}  // namespace deepgen
